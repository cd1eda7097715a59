#!/bin/sh
# Builds the FROM scratch image that holds nothing but the binary, as bandog:VERSION and bandog:latest.
set -eu
cd "$(dirname "$0")/.."

scripts/build.sh
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
docker build --quiet --tag "bandog:$version" --tag bandog:latest .
docker image inspect --format 'bandog:latest: {{.Size}} bytes' bandog:latest
echo "bake it into an image of your own: see Dockerfile.example"
