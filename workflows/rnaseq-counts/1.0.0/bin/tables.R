# Tells the genes that differ most, how many of the others lie where, and how many people and genes there are.
words <- commandArgs(trailingOnly = TRUE)
k <- as.integer(words[1])
top <- as.integer(words[2])
FOLD <- 0.25 # how wide a field of the volcano is
P <- 0.5 # and how high

tested <- read.delim("tested.tsv", colClasses = c("character", rep("numeric", 5)))
people <- read.delim("people.tsv")
order_of <- order(-tested$p, tested$gene, method = "radix")
shown <- seq_len(nrow(tested)) %in% head(order_of, top)
decimals <- function(values, places) sprintf("%.*f", places, values)
write_rows <- function(rows, path) write.table(rows, path, sep = "\t", quote = FALSE, row.names = FALSE)

first <- tested[shown, ]
write_rows(data.frame(
    gene = first$gene, reads_case = decimals(first$reads_case, 0), reads_control = decimals(first$reads_control, 0),
    log2_fold_change = decimals(first$fold, 3), minus_log10_p = decimals(first$p, 3), minus_log10_q = decimals(first$q, 3)
), "genes.tsv")

# Fields of fewer than k genes are left out; the strongest genes are told by name.
rest <- tested[!shown, ]
fields <- data.frame(fold = numeric(), p = numeric(), genes = numeric())
if (nrow(rest) > 0) {
    places <- list(fold = floor(rest$fold / FOLD) * FOLD, p = floor(rest$p / P) * P)
    fields <- aggregate(list(genes = rest$gene), places, length)
    fields <- fields[fields$genes >= k, ]
}
write_rows(data.frame(
    log2_fold_change = decimals(fields$fold, 2), minus_log10_p = decimals(fields$p, 1), genes = fields$genes
), "volcano.tsv")

told <- c(case = people$Freq[people$group == "case"], control = people$Freq[people$group == "control"],
          genes = nrow(tested), genes_at_5_percent = sum(tested$q > -log10(0.05)))
told <- told[told >= k]
write_rows(data.frame(metric = names(told), number = decimals(told, 0)), "summary.tsv")
