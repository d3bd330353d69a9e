"""Small counts, single persons' alleles and numbers of persons however they are written, and what only looks so."""

# ruff: noqa: E501 (a table stands on one line)

import random
from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.disclosure.identifiers import holds_one
from airlock.checks.findings import Severity

RANDOM = random.Random(13)
SITES = "##fileformat=VCFv4.2\n##contig=<ID=1>\n{meta}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def _bases(many: int) -> str:
    return "".join(RANDOM.choice("ACGT") for _ in range(many))


SMALL, SOLVED, DOF = Code.SMALL_COUNT, Code.SECONDARY_DISCLOSURE, Code.LOW_DEGREES_OF_FREEDOM
STOPPED = {
    "per_many.csv": ("region,population,rate_per_100000\nN,50000,6\nS,400000,35.5\n", SMALL),
    "prevalence.csv": ("stratum,n_screened,prevalence\nA,40,0.05\nB,300,0.2\n", SMALL),
    "mortality.csv": ("hospital,admissions,mortality_percent\nA,60,3.3\nB,900,2.2\n", SMALL),
    "ratio.csv": ("region,n,ratio\nN,80,3/80\nS,400,44/400\n", SMALL),
    "words.csv": ("region,cases\nN,three\nS,forty\n", SMALL),
    "tally.csv": ("ward,cases\na,||||\nb,|||||||||||||\n", SMALL),
    "swedish.csv": ("grupp;antal\nA;2\nB;45\n", SMALL),
    "crossed.csv": ("sex,asthma,copd,none\nF,12,3,120\nM,15,11,140\n", SMALL),
    "by_year.csv": ("age_band,2019,2020,2021\n18-39,12,14,3\n40-59,30,33,41\n", SMALL),
    "frequencies.csv": ("genotype,frequency\nAA,310\nAG,84\nGG,2\n", SMALL),
    "two_by_two.csv": ("a,b,c,d,or\n3,40,12,60,0.375\n", SMALL),
    "label.csv": ("group,mean_age,sd\nA (n=3),44.5,3.1\nB (n=120),51.2,12.2\n", SMALL),
    "names.csv": ("characteristic,Cases (n=3),Controls (n=120)\nmean age,44.5,51.2\nmean bmi,27.1,26.2\n", SMALL),
    "printed.txt": ("diagnosis\nE11.9    120\nI10       88\nJ45.0      3\nName: count, dtype: int64\n", SMALL),
    "sizes.txt": ("band\n18-39       3\n40-59    1900\n60+      1490\ndtype: int64\n", SMALL),
    "pandas.txt": ("sex      F     M\nband            \n<40      3   300\n40-49  210   220\n50+    310   290\n", SMALL),
    "stata.log": ("       sex |         0          1 |     Total\n-----------+----------------------+----------\n    female |     1,525          3 |     1,528 \n      male |     1,475        630 |     2,105 \n", SMALL),
    "freq.lst": ("        sex    Frequency     Percent\n        ------------------------------\n        F             3        0.14\n        M          2105       99.86\n", SMALL),
    "weights.txt": ("|--- age <= 44.50\n|   |--- weights: [1.00, 0.00] class: 0\n|--- age >  44.50\n|   |--- weights: [40.00, 80.00] class: 1\n", SMALL),
    "hidden_share.csv": ("band,n,percent\n18-39,*,1.0\n40-59,120,60.0\n60+,78,39.0\n", SOLVED),
    "letters.tsv": ("rsid\tgenotype\n" + "".join(f"rs{n}\t{RANDOM.choice('AG')}/{RANDOM.choice('AG')}\n" for n in range(1, 60)), Code.GENOTYPES),
    "named_calls.txt": ("".join(f"chr1\t{n}00\tA\tG\tS1={RANDOM.choice(['0/1', '0/0'])}\tS2=0/0\n" for n in range(2, 20)), Code.GENOTYPES),
    "crossed.txt": ("\n     no yes\n  F 120   3\n  M 140  22\n", SMALL),
    "tree.txt": ("|--- age <= 44.5\n|   |--- class: 1 samples: 1\n|--- age >  44.5\n|   |--- class: 0 samples: 44\n", SMALL),
    "tree.dot": ('digraph Tree {\n0 [label="age <= 44.5\\nsamples = 120\\nvalue = [80, 40]"] ;\n1 [label="bmi <= 20\\nsamples = 1\\nvalue = [1, 0]"] ;\n}\n', SMALL),
    "rpart.txt": ("n= 120 \n\nnode), split, n, loss, yval, (yprob)\n\n1) root 120 40 0 (0.667 0.333)  \n  2) age< 44.5 3 0 0 (1.000 0.000) *\n", SMALL),
    "running.csv": ("day,cumulative_cases\n1,120\n2,133\n3,135\n4,180\n", SOLVED),
    "left.csv": ("region,total,female\nN,120,118\nS,400,230\n", SOLVED),
    "ols.txt": ("Dep. Variable:  y   R-squared:  0.990\nNo. Observations:   8   AIC:  10.1\nDf Residuals:       3   BIC:  12.1\n", DOF),
    "lm.txt": ("Residual standard error: 0.14 on 3 degrees of freedom\nMultiple R-squared:  0.998\n", DOF),
    "curve.txt": ("Call: survfit(formula = Surv(time, status) ~ 1)\n\n time n.risk n.event survival std.err lower 95% CI upper 95% CI\n    5     40       1    0.975  0.0247        0.928        1.000\n    9     39       1    0.950  0.0345        0.885        1.000\n   13     38       1    0.925  0.0416        0.847        1.000\n", Code.SURVIVAL_STEPS),
    "events.csv": ("event_at,removed,observed,censored,entrance,at_risk\n0,0,0,0,40,40\n12,1,1,0,0,40\n33,1,0,1,0,39\n", Code.SURVIVAL_STEPS),
    "geno.hwe": (" CHR SNP TEST A1 A2 GENO P\n 1 rs1 ALL A G 2/40/300 0.6\n 1 rs2 ALL A G 30/140/172 0.9\n 1 rs3 ALL A G 31/140/172 0.9\n", SMALL),
    "rare.afreq": ("#CHROM\tID\tREF\tALT\tALT_FREQS\tOBS_CT\n1\trs1\tA\tG\t0.0002\t10000\n1\trs2\tA\tG\t0.31\t10000\n", Code.LOW_ALLELE_COUNT),
    "rare.acount": ("#CHROM\tID\tREF\tALT\tALT_CTS\tOBS_CT\n1\trs1\tA\tG\t1\t10000\n1\trs2\tA\tG\t3100\t10000\n", Code.LOW_ALLELE_COUNT),
    "homs.vcf": (SITES.format(meta='##INFO=<ID=nhomalt,Number=A,Type=Integer,Description="d">\n') + "1\t100\t.\tA\tG\t.\tPASS\tAC=44;AN=2000;nhomalt=1\n", Code.LOW_ALLELE_COUNT),
    "doses.vcf": (SITES.format(meta="") + "".join(f"1\t{n}00\t.\tA\tG\t.\tPASS\tAC=44;AN=2000;DS={','.join('0120' * 10)}\n" for n in range(1, 9)), Code.GENOTYPES),
    "filters.vcf": (SITES.format(meta="") + "".join(f"1\t{n}00\t.\tA\tG\t.\tS{n}c\tAC=44;AN=2000\n" for n in range(1, 9)), Code.UNMODELLED_RECORD),
    "named.vcf": (SITES.format(meta="##samples=<KI001,KI002>\n") + "1\t100\t.\tA\tG\t.\tPASS\tAC=44;AN=2000\n", Code.HEADER_TEXT),
    "doses.tsv": ("SNP\tBETA\tdoses\n" + "".join(f"rs{n}\t0.1\t{'|'.join(RANDOM.choice('012') for _ in range(40))}\n" for n in range(1, 20)), Code.GENOTYPES),
    "two_alleles.txt": ("rsid\tchromosome\tposition\tallele1\tallele2\n" + "".join(f"rs{n}\t1\t{n}00\t{RANDOM.choice('AG')}\t{RANDOM.choice('AG')}\n" for n in range(1, 80)), Code.GENOTYPES),
    "repeats.tsv": ("locus\tallele_1\tallele_2\nD3S1358\t15\t17\nTH01\t6\t9.3\nD21S11\t28\t30\nD18S51\t12\t14\nFGA\t20\t23\nvWA\t16\t18\n", Code.GENOTYPES),
    "alleles.tped": ("".join(f"1 rs{n} 0 {n}000 " + " ".join(RANDOM.choice("AG") for _ in range(80)) + "\n" for n in range(1, 30)), Code.GENOTYPES),
    "scores.eigenvec": ("".join(f"F{n} I{n} " + " ".join(f"{RANDOM.gauss(0, 0.01):.6f}" for _ in range(10)) + "\n" for n in range(1, 40)), Code.ROW_LEVEL),
    "tips.nwk": ("(" + ",".join(f"(KI{n:04d}:0.1,KI{n + 50:04d}:0.2):0.01" for n in range(20)) + ");\n", Code.ROW_LEVEL),
    "square.dist": ("12\n" + "".join(f"ind{a:<7}" + " ".join(f"{RANDOM.random():.4f}" for _ in range(12)) + "\n" for a in range(12)), Code.ROW_LEVEL),
    "short_reads.txt": ("\n".join(_bases(36) for _ in range(60)) + "\n", Code.READS),
    "short_reads.csv": ("seq,size\n" + "".join(f"{_bases(36)},{RANDOM.randint(10, 90)}\n" for _ in range(60)), Code.READS),
    "tens.gb": ("LOCUS       X 1200 bp DNA linear\nORIGIN\n" + "".join(f"{n * 60 + 1:>9} " + " ".join(_bases(10).lower() for _ in range(6)) + "\n" for n in range(20)) + "//\n", Code.READS),
    "pile.txt": ("".join(f"chr1\t{1000 + n}\tA\t12\t{''.join(RANDOM.choice('.,AGct') for _ in range(12))}\t{'F' * 12}\n" for n in range(60)), Code.READS),
    "fractions.csv": ("gene,beta\n" + "".join(f"GENE{n},0.{RANDOM.randint(10**29, 10**30 - 1)}\n" for n in range(40)), Code.ENCODED_PAYLOAD),
    "pieces.txt": (" ".join(f"{RANDOM.getrandbits(32):08x}" for _ in range(200)) + "\n", Code.ENCODED_PAYLOAD),
    "bits.txt": ("\n".join(f"{RANDOM.getrandbits(8):08b}" for _ in range(200)) + "\n", Code.ENCODED_PAYLOAD),
    "script.txt": ("".join(chr(0xAC00 + RANDOM.randint(0, 9000)) for _ in range(600)) + "\n", Code.ENCODED_PAYLOAD),
    "bsn.csv": ("centre,bsn\na,111222333\nb,123456782\n", Code.IDENTIFIER),
}  # fmt: skip
FREE = {
    "per_many.csv": "region,population,rate_per_100000\nN,500000,6\nS,400000,35.5\n",
    "prevalence.csv": "stratum,n_screened,prevalence\nA,400,0.05\nB,300,0.2\n",
    "of_population.csv": "disease,cases,population,prevalence\nT2D,4100,48210,0.085\nRA,390,48210,0.008\n",
    "person_years.csv": "region,person_years,deaths,rate_per_1000\nN,51234,220,4.29\nS,40111,160,3.99\n",
    "crossed.csv": "sex,asthma,copd,none\nF,12,33,120\nM,15,11,140\n",
    "doses.csv": "arm,dose_mg,visits\nA,2,4\nB,10,4\n",
    "terms.tsv": "ID\tGeneRatio\tBgRatio\tpvalue\tCount\nGO:0006915\t2/320\t120/18000\t0.01\t2\nGO:0008150\t30/320\t900/18000\t0.02\t30\n",
    "running.csv": "day,cumulative_cases\n1,120\n2,133\n3,155\n4,180\n",
    "left.csv": "region,total,female\nN,120,60\nS,400,230\n",
    "glm.txt": "Residual deviance: 5012.3  on 4207  degrees of freedom\nLikelihood ratio test= 101.2  on 2 df\n",
    "jobs.log": "Job stats:\njob        count\n-------  -------\nall            1\nassoc         22\nmerge          1\ntotal         24\n",
    "stata.log": "       sex |         0          1 |     Total\n-----------+----------------------+----------\n    female |     1,525        580 |     2,105 \n",
    "sites.tsv": "rsid\talleles\n" + "".join(f"rs{n}\t{RANDOM.choice(['A/G', 'C/T'])}\n" for n in range(1, 60)),
    "logarithm.csv": "term,coef,p,-log2(p)\nage,0.1,0.01,6.6\nsex,0.2,0.02,5.6\n",
    "curve.txt": " time n.risk n.event survival std.err lower 95% CI upper 95% CI\n  100    400      22    0.945  0.0247        0.928        1.000\n  200    363      31    0.864  0.0345        0.885        1.000\n  300    312      18    0.814  0.0416        0.847        1.000\n",
    "geno.hwe": " CHR SNP TEST A1 A2 GENO P\n 1 rs1 ALL A G 20/40/300 0.6\n 1 rs2 ALL A G 30/140/172 0.9\n 1 rs3 ALL A G 31/140/172 0.9\n",
    "fine.afreq": "#CHROM\tID\tREF\tALT\tALT_FREQS\tOBS_CT\n1\trs1\tA\tG\t0.02\t10000\n1\trs2\tA\tG\t0.31\t10000\n",
    "linear.tsv": "CHROM\tPOS\tID\tREF\tALT\tA1\tBETA\tP\n" + "".join(f"1\t{n}00\trs{n}77\tA\tG\t{RANDOM.choice('AG')}\t0.1\t0.2\n" for n in range(1, 60)),
    "species.nwk": "((Homo_sapiens:0.1,Pan_troglodytes:0.1):0.05,Mus_musculus:0.4);\n",
    "clusters.nwk": "((C1:0.1,C2:0.2):0.05,(C3:0.1,(C4:0.4,C5:0.3):0.1):0.1);\n",
    "primers.csv": "name,sequence\n" + "".join(f"P{n}_F,{_bases(21)}\n" for n in range(30)),
    "bases.tsv": "chrom\tlength\tbases\tmean\nchr1\t248956422\t9434765919\t30.1\nchr2\t242193529\t7410284420\t30.2\n",
}  # fmt: skip


@pytest.mark.parametrize("name", STOPPED)
def test_what_few_persons_stand_for_is_stopped(tmp_path: Path, name: str) -> None:
    content, code = STOPPED[name]
    found = judged(tmp_path, name, content)
    assert found.get(code) is Severity.BLOCK, found


@pytest.mark.parametrize("name", FREE)
def test_what_many_stand_for_is_not_stopped(tmp_path: Path, name: str) -> None:
    found = judged(tmp_path, name, FREE[name])
    assert Severity.BLOCK not in found.values(), found


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Steuer-ID 86 095 742 719", True),
        ("personnummer 198112189876", True),
        ("198112189875", False),
        ("780123/3539", True),
        ("780123/3540", False),
        ("isikukood 37605030299", True),
        ("SVNR 1237 010180", True),
        ("1630615123457", True),
        ("2234 5678 9124", False),
        ("130-692-544", True),
        ("11010519491231002X", True),
        ("1234567T", True),
        ("SSN: 123456789", True),
        ("AB 12 34 56 C", True),
        ("anna.meyer [at] klinik-example.de", True),
        ("Hauptstr. 12, 79106 Freiburg", True),
        ("chr1:1234567-2345678", False),
        ("2026/1127", False),
    ],
)
def test_more_numbers_of_persons_are_told_by_their_check_digits(text: str, holds: bool) -> None:
    assert holds_one(text) is holds
