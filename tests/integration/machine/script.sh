# Runs in the virtual machine of scripts/machine.sh: each function is a check, named by the test that looks for its
# line. `ok NAME` is a promise kept; anything else comes with what was seen.
#
# The machine has cgroup v2 with every controller, and its first cgroup is bandog's own to use.

MEBIBYTES=$((1024 * 1024))
cgroups=/sys/fs/cgroup

# What the kernel is asked for in one go is touched in one go: 200 MiB of memory.
HOG='dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null; echo survived'

fail() { echo "$*"; exit 1; }

# expect WHAT TEXT: TEXT is in the file that the last command wrote.
expect() { grep -q -e "$2" "$1" || { echo "expected $2 in:"; cat "$1"; exit 1; }; }
refuse() { ! grep -q -e "$2" "$1" || { echo "unexpected $2 in:"; cat "$1"; exit 1; }; }

# The functions mark what they start with a number of seconds that nothing else here sleeps for.
sleepers() { ps -o args | grep -c "^sleep $1"; }

no_sleeper() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(sleepers "$1")" = 0 ] && return
        sleep 0.2
    done
    ps
    fail "still there: sleep $1"
}

no_cgroup() {
    found=$(find "$cgroups" -name 'bandog*')
    [ -z "$found" ] || fail "left behind: $found"
}

# serve ARGUMENTS…: a listener; its pid in $listener.
serve() {
    rm -f /tmp/address
    bandog serve --listen 127.0.0.1:0 --address-file /tmp/address "$@" 2>/tmp/log &
    listener=$!
    for _ in $(seq 100); do
        [ -s /tmp/address ] && return
        sleep 0.1
    done
    cat /tmp/log
    fail "it does not listen"
}

call() { bandog call "http://$(cat /tmp/address)" --text-input "$1" >/tmp/answer 2>&1; }

stop() {
    kill "$listener"
    wait "$listener" || fail "it ended with $?: $(cat /tmp/log)"
    no_cgroup
}

memory_is_limited_for_all_processes_of_an_invocation_together() {
    serve --max-memory 64MiB -- sh -c 'sh "$INPUT_FILE_PATH"'
    call 'echo within; dd if=/dev/zero of=/dev/null bs=20M count=1 2>/dev/null' || fail "20 MiB: $(cat /tmp/answer)"
    expect /tmp/answer within
    call "$HOG" && fail "200 MiB: $(cat /tmp/answer)"
    expect /tmp/answer 'out.of.memory'
    refuse /tmp/answer survived
    # Four times 30 MiB, none of them too much by itself.
    call 'for i in 1 2 3 4; do (dd if=/dev/zero bs=30M count=1 2>/dev/null | sleep 2) & done; wait; echo survived' &&
        fail "120 MiB together: $(cat /tmp/answer)"
    expect /tmp/answer 'out.of.memory'
    call 'echo again' || fail "the next: $(cat /tmp/answer)"
    expect /tmp/answer again
    stop
}

processes_of_an_invocation_are_limited_for_root_too() {
    serve --max-processes 10 -- sh -c 'sh "$INPUT_FILE_PATH"'
    call 'sleep 1111 & sleep 1111 & sleep 1111 & echo three' || fail "three: $(cat /tmp/answer)"
    expect /tmp/answer three
    no_sleeper 1111
    call 'for i in $(seq 50); do sleep 1112 & done; echo fifty' && fail "fifty: $(cat /tmp/answer)"
    expect /tmp/log 'max-processes'
    no_sleeper 1112
    # It doubles until it may not any more.
    call 'bomb() { bomb & bomb; }; bomb' || true
    call 'echo again' || fail "the next: $(cat /tmp/answer)"
    expect /tmp/answer again
    stop
}

a_bomb_that_leaves_its_group_each_time_is_gone_with_its_answer() {
    echo 'sleep 1113 & setsid sh /tmp/bomb & setsid sh /tmp/bomb & exit 0' >/tmp/bomb
    serve --max-processes 40 -- sh -c 'sh "$INPUT_FILE_PATH"'
    call 'env -i PATH=/bin setsid sh /tmp/bomb & sleep 0.5; echo done' || fail "$(cat /tmp/answer)"
    no_sleeper 1113
    ! ps -o args | grep -q '^sh /tmp/[b]omb' || fail "the bomb goes on"
    stop
}

daemons_are_gone_with_their_answer_with_and_without_cgroups() {
    for mounted in yes no; do
        [ "$mounted" = yes ] || umount -l "$cgroups"
        serve -- sh -c 'sh "$INPUT_FILE_PATH"'
        call 'env -i PATH=/bin setsid sh -c "sleep 1114 & exec sleep 1114" & (setsid sleep 1114 &) ; sleep 0.3; echo done' ||
            fail "$(cat /tmp/answer)"
        [ "$(sleepers 1114)" = 0 ] || fail "a daemon is left, cgroups mounted: $mounted"
        kill "$listener"
        wait "$listener" || fail "it ended with $?"
        [ "$mounted" = yes ] || mount -t cgroup2 cgroup2 "$cgroups"
    done
    no_cgroup
}

a_killed_bandog_leaves_nothing_for_long() {
    serve -- sh -c 'sh "$INPUT_FILE_PATH"'
    (call 'env -i PATH=/bin setsid sleep 1115 & sleep 1116 & sleep 1117' || true) &
    for _ in $(seq 50); do
        [ "$(sleepers 1117)" = 1 ] && [ "$(sleepers 1115)" = 1 ] && break
        sleep 0.1
    done
    kill -KILL "$listener"
    wait "$listener" || true
    serve -- true
    no_sleeper 1115
    no_sleeper 1116
    no_sleeper 1117
    [ "$(find /tmp -maxdepth 1 -name 'bandog-*' | wc -l)" = 0 ] || fail "a workspace is left: $(ls /tmp)"
    stop
}

limits_work_in_a_cgroup_of_a_container_engine() {
    mkdir "$cgroups/pod" && echo '+memory +pids' >"$cgroups/cgroup.subtree_control"
    echo 'echo $$ >/sys/fs/cgroup/pod/cgroup.procs; exec bandog "$@"' >/tmp/in_pod
    HOG="$HOG" sh /tmp/in_pod run --max-memory 64MiB --max-processes 20 -- sh -c "$HOG" </dev/null >/tmp/answer 2>&1 &&
        fail "200 MiB: $(cat /tmp/answer)"
    expect /tmp/answer 'out.of.memory'
    [ -z "$(find "$cgroups/pod" -name 'bandog*')" ] || fail "left behind: $(find "$cgroups/pod")"
    # With a stranger in it the kernel does not let it be divided: cgroups(7), "no internal processes".
    sh -c 'echo $$ >/sys/fs/cgroup/pod/cgroup.procs; exec sleep 1118' &
    stranger=$!
    sleep 0.5
    code=0
    sh /tmp/in_pod run --max-memory 64MiB --max-processes 20 -- true </dev/null >/tmp/answer 2>&1 || code=$?
    kill "$stranger"
    [ "$code" = 78 ] || fail "exit code $code: $(cat /tmp/answer)"
    expect /tmp/answer 'max-processes'
}

a_sandbox_that_the_kernel_cannot_make_is_refused_at_start() {
    # This one is older than Linux 6.2 and lets a file be truncated.
    code=0
    bandog run --sandbox --text-input x -- true >/tmp/answer 2>&1 || code=$?
    [ "$code" = 78 ] || fail "exit code $code: $(cat /tmp/answer)"
    expect /tmp/answer 'sandbox.*Linux 6.2'
}

for check in $(sed -n 's/^\([a-z_]*\)() {$/\1/p' /script | grep _.*_); do
    case $check in no_*) continue ;; esac
    (set -e; trap '[ -z "${listener:-}" ] || kill -KILL "$listener" 2>/dev/null || true' EXIT; "$check") >/tmp/seen 2>&1
    status=$?
    if [ "$status" = 0 ]; then
        echo "ok $check"
    else
        echo "not ok $check: status $status"
        sed 's/^/    /' /tmp/seen
    fi
done
