# Draws the volcano from its two tables: fields of many genes as squares, the strongest genes as points.
genes <- read.delim("genes.tsv")
fields <- read.delim("volcano.tsv")
PAPER <- "#FFFFFF"
INK <- "#182230"
GRID <- "#E2E6EC"
POINT <- "#B02A3C"
SHADES <- c("#C9DCEA", "#8FB8D6", "#4F8DBB", "#266898") # up to 10, 30, 100 genes, and more

wide <- max(1, abs(genes$log2_fold_change), abs(fields$log2_fold_change) + 0.25, na.rm = TRUE)
high <- max(1, genes$minus_log10_p, fields$minus_log10_p + 0.5, na.rm = TRUE)
png("volcano.png", width = 1200, height = 720, type = "cairo", antialias = "none", bg = PAPER, pointsize = 20)
par(mar = c(5, 5, 4, 1), las = 1, lwd = 2, fg = INK, col.axis = INK, col.lab = INK, col.main = INK)
plot(NULL, xlim = c(-wide, wide), ylim = c(0, high), xlab = "log2 of case over control", ylab = "-log10(p)",
     main = "Genes that differ between the groups", axes = FALSE)
axis(1, lwd = 2)
axis(2, lwd = 2)
abline(h = pretty(c(0, high)), v = pretty(c(-wide, wide)), col = GRID, lwd = 2)
shade <- SHADES[findInterval(fields$genes, c(0, 10, 30, 100))]
rect(fields$log2_fold_change, fields$minus_log10_p, fields$log2_fold_change + 0.25, fields$minus_log10_p + 0.5,
     col = shade, border = NA)
points(genes$log2_fold_change, genes$minus_log10_p, pch = 15, cex = 0.4, col = POINT)
invisible(dev.off())
