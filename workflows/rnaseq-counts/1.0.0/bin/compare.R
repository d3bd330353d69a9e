# Compares the groups gene by gene (limma-voom); genes that few people express, or two nearly alone, are left out.
suppressPackageStartupMessages(library(limma))
words <- commandArgs(trailingOnly = TRUE)
k <- as.integer(words[1])
least <- as.numeric(words[2])
normalise <- words[3]
MOST_OF_TWO <- 0.9 # the n,k rule with n = 2

cohort <- as.matrix(read.delim("cohort.tsv", row.names = 1, check.names = FALSE))
group <- factor(colnames(cohort), levels = c("control", "case"))
sizes <- table(group)

hides_everybody <- function(counts)
    rowSums(counts > 0) >= k & apply(counts, 1, function(one) sum(sort(one, decreasing = TRUE)[1:2])) <= MOST_OF_TWO * rowSums(counts)

tested <- data.frame(gene = character(), reads_case = numeric(), reads_control = numeric(), fold = numeric(), p = numeric(), q = numeric())
if (all(sizes >= k)) {
    of_case <- cohort[, group == "case", drop = FALSE]
    of_control <- cohort[, group == "control", drop = FALSE]
    kept <- hides_everybody(of_case) & hides_everybody(of_control) & rowMeans(cohort) >= least
    if (sum(kept) >= k) {
        design <- model.matrix(~group)
        # The size of a library is that of all its genes, kept or not.
        seen <- voom(cohort[kept, , drop = FALSE], design, lib.size = colSums(cohort), normalize.method = normalise)
        found <- topTable(eBayes(lmFit(seen, design)), coef = 2, number = Inf, sort.by = "none")
        tested <- data.frame(
            gene = rownames(cohort)[kept],
            reads_case = rowSums(of_case)[kept], reads_control = rowSums(of_control)[kept],
            fold = found$logFC, p = -log10(found$P.Value), q = -log10(found$adj.P.Val)
        )
    }
} else {
    sizes[] <- 0
}
write.table(tested, "tested.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
write.table(as.data.frame(sizes), "people.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
