set -euo pipefail; file=$1; times=$2; shift 2
printf 's\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n' > "$file"
TIMEFORMAT='%R %U %S'
for ((n = 0; n < times; n++)); do
    { time "$@" 2>&3 3>&-; } 3>&2 2> "$file.part"
    read -r real user system < <(tail -n 1 "$file.part"); rm "$file.part"
    whole=$(printf '%d' "${real%.*}")
    cpu=$((10#${user/./} + 10#${system/./})); wall=$((10#${real/./}))
    load=$((wall > 0 ? cpu * 10000 / wall : 0))
    printf '%s\t%d:%02d:%02d\tNA\tNA\tNA\tNA\tNA\tNA\t%d.%02d\t%d.%03d\n' "$real" \
        $((whole / 3600)) $((whole / 60 % 60)) $((whole % 60)) \
        $((load / 100)) $((load % 100)) $((cpu / 1000)) $((cpu % 1000)) >> "$file"
done
