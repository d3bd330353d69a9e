"""Whole tables as researchers write them: those that may leave pass, those of persons are stopped, by any name."""

# ruff: noqa: E501 (a table stands on one line)

import random
from pathlib import Path

import pytest

from airlock.checks.codes import Code
from airlock.checks.findings import Severity
from airlock.checks.jail import inspect
from airlock.checks.thresholds import Policy

random.seed(1)
GOOD = {
    "km_ok.csv": "time_days,n_risk,n_event,n_censored,survival\n0,400,0,0,1.0\n90,400,22,15,0.945\n180,363,31,20,0.864\n270,312,18,25,0.814\n360,269,25,12,0.739\n",
    "or.csv": "exposure,cases,controls,or,ci_low,ci_high,p\nyes,120,80,1.5,1.1,2.0,0.01\nno,300,420,1.0,,,\n",
    "genes.tsv": "gene\tensembl\tchrom\tstart\tend\nBRCA1\tENSG00000012048\t17\t43044295\t43125483\nBRCA2\tENSG00000139618\t13\t32315474\t32400266\n",
    "table1.csv": "characteristic,level,n,percent\nage,18-39,120,24.0\nage,40-59,230,46.0\nage,60+,150,30.0\nsex,female,260,52.0\nsex,male,240,48.0\ntotal,,500,100.0\n",
    "deg.tsv": "gene\tbaseMean\tlog2FoldChange\tlfcSE\tstat\tpvalue\tpadj\n"
    + "".join(
        f"ENSG{n:011d}\t{random.random() * 900:.2f}\t{random.gauss(0, 1):.3f}\t0.2\t{random.gauss(0, 1):.3f}\t{random.random():.4f}\t{random.random():.4f}\n"
        for n in range(100000, 100200)
    ),
    "pca_var.csv": "component,variance_explained\nPC1,0.12\nPC2,0.05\nPC3,0.03\n",
    "mid6.csv": "age_band,n_midpoint6\n18-39,3\n40-59,21\n60-79,33\n80+,9\n",
    "round5.csv": "age_band,cases,total\n18-39,15,120\n40-59,25,205\n60-79,40,330\n80+,10,45\n",
    "roc.csv": "fpr,tpr,threshold\n"
    + "".join(f"{i / 50:.3f},{(i / 50) ** 0.5:.3f},{1 - i / 50:.3f}\n" for i in range(51)),
    "calib.csv": "bin,mean_predicted,observed_rate,n\n1,0.05,0.04,400\n2,0.15,0.17,380\n3,0.25,0.26,410\n",
    "go.tsv": "term\tname\tgenes_in_term\toverlap\tp_adjust\nGO:0006915\tapoptosis\t320\t12\t0.001\nGO:0008150\tprocess\t1200\t40\t0.02\n",
    "coef.csv": "term,beta,se,p\nintercept,0.1,0.02,0.001\nage,0.02,0.001,0.0001\nsex,0.3,0.1,0.02\n",
    "quant.csv": "variable,n,p5,p25,median,p75,p95\nage,4210,22,41,57,70,84\n",
    "gwas2.tsv": "SNP\tCHR\tBP\tA1\tA2\tN\tEAF\tBETA\tSE\tP\n"
    + "".join(
        f"rs{n}\t1\t{n * 100}\tA\tG\t{50000 - n % 7}\t{0.05 + n / 9000:.4f}\t0.01\t0.02\t0.4\n"
        for n in range(1000, 1200)
    ),
    "supp_ok.csv": "region,cases,total\nnorth,*,120\nsouth,*,200\neast,40,330\nwest,33,310\nTotal,101,960\n",
    "month.csv": "month,region,n_tests,n_positive\n2025-01,north,500,40\n2025-01,south,430,35\n2025-02,north,510,44\n2025-02,south,433,31\n",
    "qc.csv": "batch,n_samples,mean_depth,call_rate_percent\nA,96,31.2,99.8\nB,90,30.1,99.1\n",
    "haplo.csv": "haplotype,frequency,n\nH1,0.31,620\nH2,0.22,440\n",
    "het.csv": "population,n,het_rate,fst\nCEU,99,0.31,0.01\nYRI,108,0.35,0.02\n",
    "signature.csv": "signature,n_mutations,weight\nSBS1,1200,0.2\nSBS5,3400,0.5\n",
    "conf.csv": "actual,predicted_yes,predicted_no\nyes,120,30\nno,25,400\n",
    "age_hist.csv": "age_from,age_to,n\n18,29,120\n30,39,140\n40,49,160\n",
}
BAD = {
    "sec3.csv": "diagnosis,n\nasthma,120\ncopd,45\ncf,<10\nall,172\n",
    "rows1.csv": "age,sex,postcode,diagnosis\n"
    + "".join(
        f"{random.randint(20, 90)},{random.choice('mf')},{random.randint(10000, 99999)},I{random.randint(10, 99)}\n"
        for _ in range(40)
    ),
    "rows2.csv": "x1,x2,x3\n"
    + "".join(f"{random.random():.4f},{random.random():.4f},{random.random():.4f}\n" for _ in range(400)),
    "rows3.csv": "id;alter;geschlecht;diagnose\n"
    + "".join(f"{1000 + n};{random.randint(20, 90)};{random.choice('mw')};E11\n" for n in range(40)),
    "rows4.csv": "eid,trait\n"
    + "".join(f"{random.randint(1000000, 6000000)},{random.random():.3f}\n" for n in range(40)),
    "rows5.csv": "subject,visit,value\n"
    + "".join(f"S{n // 3:03d},{n % 3},{random.random():.3f}\n" for n in range(60)),
    "gt.csv": "rs1,rs2,rs3\n"
    + "".join(f"{random.choice('012')},{random.choice('012')},{random.choice('012')}\n" for _ in range(60)),
    "gt2.csv": "sample,rs1,rs2\n"
    + "".join(f"S{n},{random.choice(['0/1', '0/0', '1/1'])},{random.choice(['0/1', '0/0'])}\n" for n in range(60)),
    "gwas_small.tsv": "chrom\tpos\tref\talt\tn_case\tn_control\taf_case\tp\n1\t100\tA\tG\t40\t50\t0.0125\t0.2\n1\t200\tA\tG\t40\t50\t0.3\t0.2\n",
    "dates.csv": "group,first_event,last_event\na,2021-03-04,2023-01-02\nb,2020-02-03,2023-05-06\nc,2020-02-04,2023-05-07\nd,2020-02-05,2023-06-06\ne,2020-12-03,2023-07-06\n",
    "list.txt": "patient_id\n" + "".join(f"AB{n:06d}\n" for n in range(20)),
}
FOUND = {"sec3.csv": Code.SECONDARY_DISCLOSURE, "gt.csv": Code.GENOTYPES, "gwas_small.tsv": Code.LOW_ALLELE_COUNT}


@pytest.mark.parametrize("name", GOOD)
def test_an_aggregate_passes_without_a_finding(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(GOOD[name])
    answer = inspect(tmp_path / name, None, Policy(version=1))
    assert (answer.verdict, answer.findings) == (Severity.PASS, ())


@pytest.mark.parametrize("name", BAD)
def test_persons_in_disguise_are_stopped(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(BAD[name])
    answer = inspect(tmp_path / name, None, Policy(version=1))
    assert answer.verdict is Severity.BLOCK
    assert FOUND.get(name, Code.ROW_LEVEL) in {finding.code for finding in answer.findings}
