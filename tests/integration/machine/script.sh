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

what_one_invocation_does_to_its_limits_is_not_the_next_ones() {
    serve --max-memory 64MiB --max-processes 20 -- sh -c 'sh "$INPUT_FILE_PATH"'
    call 'own=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); echo max >$own/memory.max; echo 0 >$own/pids.max' ||
        fail "$(cat /tmp/answer)"
    call 'echo again; true | cat' || fail "the next has no processes: $(cat /tmp/answer)"
    call "$HOG" && fail "the next has no limit: $(cat /tmp/answer)"
    expect /tmp/answer 'max-memory'
    # Files on a tmpfs count for who writes them, not for who comes later.
    call 'dd if=/dev/zero of=/tmp/left bs=1M count=40 2>/dev/null' || fail "$(cat /tmp/answer)"
    call 'dd if=/dev/zero of=/dev/null bs=40M count=1 2>/dev/null; echo enough' || fail "the next: $(cat /tmp/answer)"
    expect /tmp/answer enough
    rm /tmp/left
    stop
}

a_limit_that_one_controller_holds_does_not_wait_for_the_other() {
    echo '+pids' >"$cgroups/cgroup.subtree_control"
    mkdir -p "$cgroups/few/own" && echo '+pids' >"$cgroups/few/cgroup.subtree_control"
    echo 'echo $$ >/sys/fs/cgroup/few/own/cgroup.procs; exec bandog "$@"' >/tmp/in_few
    sh /tmp/in_few run --max-memory 256MiB --max-processes 5 -- \
        sh -c 'for i in $(seq 20); do sleep 1119 & done; echo twenty' </dev/null >/tmp/answer 2>&1 &&
        fail "twenty: $(cat /tmp/answer)"
    refuse /tmp/answer twenty
    no_sleeper 1119
}

memory_of_the_container_is_told_apart_beside_other_limits() {
    echo '+memory +pids' >"$cgroups/cgroup.subtree_control"
    mkdir -p "$cgroups/small" && echo 100M >"$cgroups/small/memory.max"
    echo 'echo $$ >/sys/fs/cgroup/small/cgroup.procs; exec bandog "$@"' >/tmp/in_small
    sh /tmp/in_small run --max-processes 20 -- sh -c "exec ${HOG%%;*}" </dev/null >/tmp/answer 2>&1 &&
        fail "$(cat /tmp/answer)"
    expect /tmp/answer 'out.of.memory'
    expect /tmp/answer 'give the container more'
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
