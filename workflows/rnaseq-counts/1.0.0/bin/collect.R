# Puts the counts of all people of both groups into one table: a row a gene, a column a person, without names.
# Who they are stands in two lists of their own.
words <- commandArgs(trailingOnly = TRUE)
groups <- read.delim(words[1], colClasses = "character")
files <- words[-(1:2)]
people <- sub("\\.counts\\.tsv\\.gz$", "", basename(files))

if (!all(c("person", "group") %in% names(groups)) || anyDuplicated(groups$person) || !all(groups$group %in% c("case", "control")))
    stop("The table of groups has one line a person: person, and group: case or control.", call. = FALSE)

# Ensembl's genes without their versions; what else a counter wrote is no gene.
read_counts <- function(path) {
    table <- read.delim(path, header = FALSE, col.names = c("gene", "reads"), colClasses = c("character", "numeric"))
    table$gene <- sub("\\.[0-9]+$", "", table$gene)
    table <- table[grepl("^ENSG[0-9]{11}$", table$gene), ]
    if (anyDuplicated(table$gene)) stop("A gene has one line a person.", call. = FALSE)
    setNames(table$reads, table$gene)
}

chosen <- which(people %in% groups$person)
counts <- lapply(files[chosen], read_counts)
genes <- if (length(counts)) sort(Reduce(intersect, lapply(counts, names)), method = "radix") else character()
cohort <- vapply(counts, function(one) one[genes], numeric(length(genes)))
group <- groups$group[match(people[chosen], groups$person)]
cohort <- matrix(cohort, nrow = length(genes), dimnames = list(genes, group))
write.table(cohort, words[2], sep = "\t", quote = FALSE, col.names = NA)
writeLines(sort(people[chosen][group == "case"], method = "radix"), "cases.txt")
writeLines(sort(people[chosen][group == "control"], method = "radix"), "controls.txt")
