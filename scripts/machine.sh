#!/bin/bash
# Boots a virtual machine that holds nothing but a Linux kernel, busybox and the static bandog, runs a script in it as
# PID 1's only child, and prints what that writes.
#
#     scripts/machine.sh SCRIPT [SECONDS]
#
# What a container on this machine may not have, a machine of our own has: cgroup v2 with every controller, and the
# right to use it. The kernel is Debian's, taken from its package without installing it and kept in the user's cache
# directory (BANDOG_KERNEL=FILE names another). Emulated in software, so that it runs wherever a process does.
set -euo pipefail
script=$(realpath "$1")
limit=${2:-300}
cd "$(dirname "$0")/.."

say() { echo "machine: $*" >&2; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bandog
mkdir -p "$cache"

kernel() {
    local package directory
    if [ -n "${BANDOG_KERNEL:-}" ]; then
        echo "$BANDOG_KERNEL"
        return
    fi
    if [ ! -f "$cache/vmlinuz" ]; then
        package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
        [ -n "$package" ] || { say "apt knows no package linux-image-cloud-amd64; run apt-get update"; return 1; }
        say "fetching $package (once; then it is cached in $cache/vmlinuz)"
        directory=$(mktemp -d)
        (cd "$directory" && apt-get download -q "$package" >/dev/null 2>&1 && dpkg-deb --extract ./*.deb .) || {
            rm -rf "$directory"
            say "apt-get download $package failed"
            return 1
        }
        mv "$directory"/boot/vmlinuz-* "$cache/vmlinuz.$$"
        mv "$cache/vmlinuz.$$" "$cache/vmlinuz"
        rm -rf "$directory"
    fi
    echo "$cache/vmlinuz"
}

for program in qemu-system-x86_64 cpio /bin/busybox; do
    command -v "$program" >/dev/null || { say "$program is missing; make setup installs it"; exit 1; }
done
kernel=$(kernel)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/root/{bin,dev,etc,proc,sys,tmp,root}
cp /bin/busybox dist/bandog "$work/root/bin/"
cp "$script" "$work/root/script"
echo 'root:x:0:0::/root:/bin/sh
nobody:x:65534:65534::/:/bin/sh' >"$work/root/etc/passwd"
cat >"$work/root/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
chmod 1777 /tmp
cd /tmp
sh /script
echo "script ended: $?"
poweroff -f
END
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio --quiet -o -H newc) | gzip -1 >"$work/initrd"

# Without a reboot a panic ends it too; nothing of the host is attached.
timeout --kill-after=5 "$limit" qemu-system-x86_64 -machine accel=tcg -cpu max -m 512 -smp 2 -nodefaults \
    -no-user-config -display none -serial "file:$work/console" -no-reboot -kernel "$kernel" -initrd "$work/initrd" \
    -append "console=ttyS0 quiet panic=-1" </dev/null || say "ended by $limit s or an error"
tr -d '\r' <"$work/console"
