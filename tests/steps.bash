# For tests/run: runs checks in turn, and prints at the end what each took.

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

print_table() {
    printf '\n%-58s %8s\n' check seconds
    awk -F'\t' '{ printf "%-58s %8d  %s\n", $1, $2, $3 == "passed" ? "" : $3 }' "$results"
    printf '%-58s %8d\n' "all" $SECONDS
    rm -f "$results"
}
trap print_table EXIT
