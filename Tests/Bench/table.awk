# Samples "NAME wall-seconds CPU-seconds peak-KiB", sorted by name and wall seconds, to a table and key=value lines.

{
    wall[$1, ++runs[$1]] = $2
    cpu[$1] += $3
    if ($4 > peak[$1]) peak[$1] = $4
}

function median(name, count) {
    count = runs[name]
    return (wall[name, int((count + 1) / 2)] + wall[name, int(count / 2) + 1]) / 2
}

function row(name, title) {
    printf "%-24s %4d %9.3f %9.3f %9.3f %9.3f %9.1f %9.2f x\n", title, runs[name], wall[name, 1], median(name),
        wall[name, runs[name]], cpu[name] / runs[name], peak[name] / 1024, median(name) / median("virtlat")
}

function keys(name) {
    printf "%s_seconds_min=%.4f\n", name, wall[name, 1]
    printf "%s_seconds_median=%.4f\n", name, median(name)
    printf "%s_seconds_max=%.4f\n", name, wall[name, runs[name]]
    printf "%s_cpu_seconds=%.4f\n", name, cpu[name] / runs[name]
    printf "%s_anonymous_kib=%d\n", name, peak[name]
}

END {
    printf "\n%-24s %4s %9s %9s %9s %9s %9s %11s\n", "", "", "wall s", "", "", "CPU s", "peak MiB", "median over"
    printf "%-24s %4s %9s %9s %9s %9s %9s %11s\n", "", "runs", "min", "median", "max", "mean", "anonymous", "virtlat's"
    row("virtlat", "virtlat analyze")
    row("iterate", "libtracecmd, only reads")
    row("cat", "cat")
    row("report", "trace-cmd report")
    printf "\nvirtlat: %.1f M events/s, %.1f times as fast as trace-cmd report, %.2f times as fast as libtracecmd\n\n",
        events / median("virtlat") / 1e6, median("report") / median("virtlat"), median("iterate") / median("virtlat")
    printf "events=%d\n", events
    keys("virtlat")
    keys("iterate")
    keys("cat")
    keys("report")
    printf "virtlat_events_per_second=%d\n", events / median("virtlat")
    printf "report_over_virtlat=%.1f\n", median("report") / median("virtlat")
    printf "iterate_over_virtlat=%.2f\n", median("iterate") / median("virtlat")
    printf "virtlat_over_cat=%.1f\n", median("virtlat") / median("cat")
}
