# The image that holds the static binary and nothing else: to copy from (see Dockerfile.example), or to run as an init
# container that installs the binary into a volume:
#
#     make image
#     docker run --rm -v bandog:/vol bandog install /vol
#
# The binary is built outside, by `make build`, so that building this image needs no compiler and no registry.
FROM scratch
COPY dist/bandog /bandog
EXPOSE 8080
ENTRYPOINT ["/bandog"]
