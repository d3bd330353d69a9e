# Writes part `part` of `parts` of the sequences in a .fai, as BED: bases are counted on through all sequences.
BEGIN { OFS = "\t" }
{ name[NR] = $1; length_of[NR] = $2; total += $2 }
END {
    first = int(total * (part - 1) / parts)
    last = int(total * part / parts)
    for (n = 1; n <= NR; n++) {
        from = first - passed > 0 ? first - passed : 0
        to = last - passed < length_of[n] ? last - passed : length_of[n]
        if (from < to) print name[n], from, to
        passed += length_of[n]
    }
}
