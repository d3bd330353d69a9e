"""Cases in shapes that name nobody: turned, without a key, in lines; and results of the same shapes that may leave."""

# ruff: noqa: E501 (a table stands on one line)

import json
import random
from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity

RANDOM = random.Random(11)


def _day() -> str:
    return f"{RANDOM.randint(1940, 2000)}-{RANDOM.randint(1, 12):02d}-{RANDOM.randint(1, 28):02d}"


PEOPLE = [
    {
        "n": n,
        "age": RANDOM.randint(20, 90),
        "sex": RANDOM.choice("FM"),
        "bmi": round(RANDOM.gauss(27, 4), 1),
        "plz": RANDOM.randint(10000, 99999),
        "born": _day(),
    }
    for n in range(1, 41)
]


def _lines(pattern: str) -> str:
    """Return one line for each person."""
    return "".join(pattern.format(**one) for one in PEOPLE)


def _genes(names: list[str]) -> str:
    rows = (f"GENE{n}\t" + "\t".join(f"{RANDOM.random() * 9:.2f}" for _ in names) for n in range(30))
    return "gene\t" + "\t".join(names) + "\n" + "\n".join(rows) + "\n"


ROWS = {
    "long.csv": "row,variable,value\n" + _lines("{n},age,{age}\n{n},sex,{sex}\n{n},bmi,{bmi}\n"),
    "side.csv": "variable,"
    + ",".join(f"x{n}" for n in range(40))
    + "\n"
    + "".join(f"{name}," + ",".join(str(one[name]) for one in PEOPLE) + "\n" for name in ("age", "sex", "bmi")),
    "side_without_names.csv": "".join(
        f"{name}," + ",".join(str(one[name]) for one in PEOPLE) + "\n" for name in ("age", "sex", "bmi")
    ),
    "names_of_columns.csv": "region," + ",".join(f"{one['born']}_{one['sex']}" for one in PEOPLE) + "\nN" + ",0" * 40 + "\nS" + ",0" * 40 + "\n",
    "no_names.csv": "v1,v2,v3\n" + _lines("{age},{sex},{plz}\n"),
    "arm.csv": "arm,before,after\n" + "".join(f"{RANDOM.choice('AB')},{RANDOM.gauss(50, 9):.1f},{RANDOM.gauss(45, 9):.1f}\n" for _ in range(60)),
    "answers.csv": "q1,q2,q3,q4\n" + "".join(",".join(str(RANDOM.randint(1, 4)) for _ in range(4)) + "\n" for _ in range(120)),
    "days.csv": "day,ward,result\n" + "".join(f"{_day()}T10:{RANDOM.randint(10, 59)}:00,A,pos\n" for _ in range(40)),
    "tilde.txt": "age~sex~plz~bmi\n" + _lines("{age}~{sex}~{plz}~{bmi}\n"),
    "colons.txt": "age:sex:plz:bmi\n" + _lines("{age}:{sex}:{plz}:{bmi}\n"),
    "records.txt": _lines("age: {age}\nsex: {sex}\nbmi: {bmi}\n\n"),
    "expanded.txt": _lines("-[ RECORD {n} ]\nage | {age}\nsex | {sex}\nplz | {plz}\n"),
    "tibble.txt": "# A tibble: 40 × 3\n     age sex     bmi\n   <int> <chr> <dbl>\n" + _lines("{n:>2} {age:>5} {sex}     {bmi:>5}\n"),
    "polars.log": "shape: (40, 3)\n┌─────┬─────┬──────┐\n│ age ┆ sex ┆ bmi  │\n│ --- ┆ --- ┆ ---  │\n│ i64 ┆ str ┆ f64  │\n╞═════╪═════╪══════╡\n" + _lines("│ {age}  ┆ {sex}   ┆ {bmi} │\n") + "└─────┴─────┴──────┘\n",
    "str.txt": "'data.frame':\t40 obs. of  3 variables:\n $ age: int  " + " ".join(str(one["age"]) for one in PEOPLE[:10]) + " ...\n $ sex: chr  " + " ".join(f'"{one["sex"]}"' for one in PEOPLE[:10]) + " ...\n $ bmi: num  " + " ".join(str(one["bmi"]) for one in PEOPLE[:10]) + " ...\n",
    "packed.txt": "".join(f"{one['n']:04d}{one['age']:03d}{one['sex']}{str(one['born']).replace('-', '')}{one['plz']}\n" for one in PEOPLE),
    "births.txt": _lines("{born}\n"),
    "sparse.txt": _lines("1 1:{age} 2:{bmi} 3:{plz}\n"),
    "patients.log": "".join(f"Finished patient {RANDOM.randint(1000, 9999)} in {n}.1 s\n" for n in range(20)),
    "messages.hl7": _lines("MSH|^~\\&|LAB|H|||2024||ORU^R01|{n}|P|2.5\nPID|1||{n}||X||{born}|{sex}\n"),
    "nested.json": json.dumps({"a": [{"who": {"age": one["age"], "sex": one["sex"]}, "labs": {"bmi": one["bmi"]}} for one in PEOPLE]}),
    "points.geojson": json.dumps({"features": [{"geometry": {"coordinates": [RANDOM.random(), RANDOM.random()]}, "properties": {"age": one["age"], "sex": one["sex"]}} for one in PEOPLE]}),
    "arrays.json": json.dumps([[one["age"], one["sex"], one["plz"]] for one in PEOPLE]),
    "ages.json": json.dumps({"ages": [one["age"] for one in PEOPLE]}),
    "outliers.json": json.dumps({"group": "A", "median": 5.1, "outliers": [12.1, 13.4, 11.9]}),
    "residuals.json": json.dumps({"coef": [1.2, 0.3], "residuals": [round(RANDOM.gauss(0, 1), 4) for _ in range(60)]}),
    "marks.html": "<!DOCTYPE html><html><body><p>Plot</p>" + _lines("<i data-age='{age}' data-sex='{sex}' data-plz='{plz}'></i>") + "</body></html>",
    "defined.html": "<html><body><dl>" + _lines("<dt>{n}</dt><dd>{born}, {sex}</dd>") + "</dl></body></html>",
    "below.csv": "region,n,mean\nN,120,5.1\nS,330,5.4\n\nage,sex,plz\n" + _lines("{age},{sex},{plz}\n"),
    "digests.csv": "h,value\n" + "".join(f"{RANDOM.getrandbits(128):032x},{n}.5\n" for n in range(30)),
    "tokens.csv": "k,value\n" + "".join(f"q{RANDOM.randint(10, 99)}XkP{RANDOM.randint(1000, 9999)}Zb,{n}.5\n" for n in range(30)),
    "site_numbers.csv": "k,arm,outcome\n" + _lines("UPP-01-{n:03d},A,{bmi}\n"),
    "expression.tsv": _genes([f"KI{n:03d}_T" for n in range(20)]),
    "relatives.csv": "," + ",".join(f"ind{n}" for n in range(12)) + "\n" + "".join(f"ind{a}," + ",".join(f"{RANDOM.random():.4f}" for _ in range(12)) + "\n" for a in range(12)),
    "staff.csv": "first_name,last_name,score\n" + "".join(f"A{chr(97 + n % 26)}na,Me{chr(97 + n // 2)}er,{n}\n" for n in range(20)),
    "italian.csv": "età;sesso;comune\n" + _lines("{age};{sex};{plz}\n"),
    "study_numbers.csv": "study_no,arm,age_yrs\n" + _lines("{n},A,{age}\n"),
    "wide.csv": "id,bp_v1,bp_v2,bp_v3\n" + "".join(f"{n}," + ",".join(str(RANDOM.randint(100, 180)) for _ in range(3)) + "\n" for n in range(40)),
    "keys.txt": "".join(f"KI-{n:04d}\n" for n in range(1, 30)),
    "keys.log": "Left out: " + ", ".join(f"KI{n:04d}" for n in range(1, 30)) + "\n",
    "quality.json": json.dumps([{f"KI{n:03d}": {"gc": 40.1, "coverage": round(30 + RANDOM.random(), 2)} for n in range(20)}]),
    "notes.txt": _lines("Note {n}: Pt is a {age}yo, BMI {bmi}.\n"),
    "texts.jsonl": "".join(json.dumps({"text": f"{one['age']} year old {one['sex']}", "label": 1}) + "\n" for one in PEOPLE),
    "literal.py": "d = {\n" + _lines("    'p{n}': ({age}, '{sex}', {plz}),\n") + "}\n",
    "lines.sas": "data a;\ninput age sex $ zip;\ndatalines;\n" + _lines("{age} {sex} {plz}\n") + ";\nrun;\n",
    "string.py": 'rows = """\nage sex zip\n' + _lines("{age} {sex} {plz}\n") + '"""\n',
    "objects.js": "const d = [" + ",".join(f"{{age:{one['age']},sex:'{one['sex']}',zip:{one['plz']}}}" for one in PEOPLE) + "];\n",
    "knitted.html": "<!DOCTYPE html><html><body><pre>##   age sex   zip\n" + _lines("## {n}  {age}   {sex} {plz}\n") + "</pre></body></html>",
    "one_row.log": "age        61\nsex         F\nbmi      27.1\nName: 3, dtype: object\n",
    "trained.json": json.dumps({"gamma": 0.1, "support_vectors": [[one["age"], one["bmi"]] for one in PEOPLE]}),
    "swedish.csv": "lopnr;alder;kon\n" + _lines("{n};{age};{sex}\n"),
}  # fmt: skip
FREE = {
    "correlation.csv": ",age,bmi,sbp,weight,height,ldl,hdl,glucose\n" + "".join(f"{a}," + ",".join(f"{RANDOM.uniform(-0.6, 0.6):.4f}" for _ in range(8)) + "\n" for a in ("age", "bmi", "sbp", "weight", "height", "ldl", "hdl", "glucose")),
    "describe.txt": "               age          bmi\ncount  4210.000000  4188.000000\nmean     54.210214    27.123341\nstd      12.103420     4.210120\n25%      45.000000    24.100000\n50%      55.000000    26.800000\n75%      64.000000    29.700000\n",
    "probes.csv": ",logFC,AveExpr,t,P.Value\n" + "".join(f"cg{n:08d},{RANDOM.gauss(0, 1):.4f},{RANDOM.random():.3f},{RANDOM.gauss(0, 2):.3f},{RANDOM.random():.4f}\n" for n in range(60)),
    "curves.csv": "arm,week,mean_score\n" + "".join(f"{arm},{week},{RANDOM.gauss(50, 2):.2f}\n" for arm in "AB" for week in range(30)),
    "loadings.tsv": "rsid\tPC1\tPC2\n" + "".join(f"rs{n}77\t{RANDOM.gauss(0, 1):.5f}\t{RANDOM.gauss(0, 1):.5f}\n" for n in range(40)),
    "means.tsv": _genes(["control", "mild", "severe"]),
    "weeks.tsv": _genes([f"week{n}" for n in range(12)]),
    "components.tsv": _genes([f"PC{n}" for n in range(12)]),
    "sums.txt": "".join(f"{RANDOM.getrandbits(128):032x},part{n}.vcf.gz\n" for n in range(30)),
    "by_day.csv": "date,admissions\n" + "".join(f"2024-03-{n:02d},{200 + n * 7 % 31}\n" for n in range(1, 29)),
    "dated.log": "".join(f"2026-11-{1 + n // 3:02d} 10:00:00 step {n} took 3 s\n" for n in range(60)),
    "terms.obo": "format-version: 1.2\n\n" + "".join(f"[Term]\nid: GO:{n:07d}\nname: process {n}\nnamespace: biological_process\n\n" for n in range(20)),
    "two_tables.csv": "region,n\nN,120\nS,330\n\nsex,n\nF,230\nM,220\n",
    "eqtl.tsv": "gene_id\tvariant_id\tdistance\tslope\n" + "".join(f"ENSG{n:011d}\tchr1_{10000 + n}_A_G_b38\t{RANDOM.randint(-9000, 9000)}\t{RANDOM.gauss(0, 1):.4f}\n" for n in range(60)),
    "plan.csv": "model,fold,score,error\n" + "".join(f"{m},{k},{RANDOM.random():.4f},{RANDOM.random():.4f}\n" for m in ("lasso", "forest", "boost") for k in range(10)),
    "growth.csv": "age_months,sex,p3,p50,p97\n" + "".join(f"{a},{s},{50 + a * 0.9:.1f},{54 + a:.1f},{58 + a * 1.1:.1f}\n" for s in "FM" for a in range(24)),
    "ld.csv": "," + ",".join(f"rs{n}77" for n in range(15)) + "\n" + "".join(f"rs{n}77," + ",".join(f"{RANDOM.random():.4f}" for _ in range(15)) + "\n" for n in range(15)),
    "weights.tsv": "type\t" + "\t".join(f"SBS{n}" for n in range(30)) + "\n" + "".join(f"context {n}\t" + "\t".join(f"{RANDOM.random() / 96:.6f}" for _ in range(30)) + "\n" for n in range(16)),
    "metabolites.csv": "metabolite,beta,se,p\n" + "".join(f"M{n + 1000:05d},{RANDOM.gauss(0, 1):.4f},0.01,0.2\n" for n in range(40)),
    "histogram.txt": "## METRICS CLASS\tx\nMEDIAN\tMEAN\tPAIRS\n351\t355.2\t23900112\n\n## HISTOGRAM\tx\nsize\tpairs\n" + "".join(f"{100 + n * 10}\t{2000 + n}\n" for n in range(40)),
    "clumps.txt": " CHR SNP S05 S01 S001\n" + "".join(f" 1 rs{n} 0 0 0\n" for n in range(20)),
    "centres.csv": "centre,n\n" + "".join(f"C{n:02d},{40 + n}\n" for n in range(1, 20)),
    "rules.cfg": "".join(f"[step{n}]\nthreads=4\nmemory=8G\n\n" for n in range(8)),
    "accessions.txt": "".join(f"GCST{n:06d}\n" for n in range(1, 20)),
    "missing.txt": "age     0\nbmi    22\nhdl     3\ndtype: int64\n",
    "arrays.csv": "probe,beta\n" + "".join(f"ILMN_{1000000 + n},{RANDOM.gauss(0, 1):.3f}\n" for n in range(30)),
    "effects.csv": "snp,HDL,age,bmi\n" + "".join(f"rs{1000 + n},{RANDOM.gauss(0, 1):.3f},{RANDOM.gauss(0, 1):.3f},{RANDOM.gauss(0, 1):.3f}\n" for n in range(30)),
    "of_years.csv": "year,age,bmi\n" + "".join(f"{2000 + n},{54 + RANDOM.random():.2f},{27 + RANDOM.random():.2f}\n" for n in range(15)),
    "studies.csv": "study,effect,se\n" + "".join(f"Study {n},{RANDOM.gauss(0, 1):.3f},{RANDOM.random():.3f}\n" for n in range(25)),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_cases_in_any_shape_are_rows_of_persons(tmp_path: Path, name: str) -> None:
    found = judged(tmp_path, name, ROWS[name])
    assert found.get(Code.ROW_LEVEL) is Severity.BLOCK, found


@pytest.mark.parametrize("name", FREE)
def test_results_of_the_same_shapes_are_not_stopped(tmp_path: Path, name: str) -> None:
    found = judged(tmp_path, name, FREE[name])
    assert Severity.BLOCK not in found.values(), found
