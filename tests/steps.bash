# For tests/run: checks that run in turn or side by side, and a table of what each took. Stops at the first that fails.

# NAME<tab>SECONDS<tab>RESULT, a line for each check that ended.
results=$(mktemp)

note() {
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$results"
}

# step NAME COMMAND...
step() {
    local name=$1 start=$SECONDS status=0
    shift
    printf '\n== %s\n' "$name"
    "$@" || status=$?
    if [ $status -eq 0 ]; then
        note "$name" $((SECONDS - start)) passed
        printf '== %s: passed in %d s\n' "$name" $((SECONDS - start))
    else
        note "$name" $((SECONDS - start)) failed
        printf '== %s: failed with status %d after %d s\n' "$name" $status $((SECONDS - start))
    fi
    return $status
}

# side_by_side NAME COMMAND [NAME COMMAND]...: each COMMAND is one word, for sh -c. What they print comes one after the other, when all have ended.
side_by_side() {
    local outputs pid status=0
    local -a pids=()
    outputs=$(mktemp --directory)
    while [ $# -gt 0 ]; do
        step "$1" sh -c "$2" >"$outputs/${#pids[@]}" 2>&1 </dev/null &
        pids+=($!)
        shift 2
    done
    for pid in "${pids[@]}"; do wait "$pid" || status=$?; done
    cat "$outputs"/*
    rm -r "$outputs"
    return $status
}

# Whether this machine carries two throw-away hosts at once: two cores, and 8 GiB of memory that is free.
carries_two_hosts() {
    [ "$(nproc)" -ge 2 ] && [ "$(awk '$1 == "MemAvailable:" { print int($2 / 1024 ^ 2) }' /proc/meminfo)" -ge 8 ]
}

print_table() {
    printf '\n%-58s %8s\n' check seconds
    awk -F'\t' '{ printf "%-58s %8d  %s\n", $1, $2, $3 == "passed" ? "" : $3 }' "$results"
    printf '%-58s %8d\n' "all" $SECONDS
    rm -f "$results"
}
trap print_table EXIT
