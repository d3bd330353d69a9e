"""A coarse dataset: the same journey, and before release a researcher's view does not depend on any genotype (T4)."""

import gzip
import re
from pathlib import Path
from typing import Any

from site_of_tests import Site

from strongroom.cli.run import WES

TES = "/ga4gh/tes/v1"


def test_the_main_job_also_runs_coarse(site: Site, tmp_path: Path) -> None:
    run = site.frequencies("hapmap-coarse")
    request = site.requested(run)
    site.approved(request)
    assert set(site.downloaded(request, tmp_path)) == {"sites.vcf.gz", "quality.tsv", "spectrum.tsv", "spectrum.png"}


def test_t4_a_coarse_view_holds_no_sizes_names_commands_or_exit_codes(site: Site) -> None:
    run = site.frequencies("hapmap-coarse")
    seen = str(view(site, run))
    for word in ("NA07034", "bcftools", "exit_code", "size_bytes", "/run/work", "peak_memory"):
        assert word not in seen, word
    with site.stage.client(site.cast.researcher) as client:
        times = re.findall(r"\d\d:\d\d:(\d\d)Z", str(client.get(f"{WES}/runs/{run}/tasks")))
    assert set(times) == {"00"}


def test_t4_two_inputs_that_differ_in_one_genotype_look_the_same(
    site: Site, sources: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    calls = sources[0]
    changed = tmp_path / calls[0].name
    changed.write_bytes(with_one_genotype_changed(calls[0]))
    site.add("hapmap-changed", [changed, *calls[1:]], observability="coarse")
    one = view(site, site.frequencies("hapmap-coarse"))
    other = view(site, site.frequencies("hapmap-changed"))
    assert one == other


def view(site: Site, run: str) -> dict[str, Any]:
    """Return all that a researcher can see of a run before release, without ids, times and the dataset's name."""
    held = site.held(run)
    with site.stage.client(site.cast.researcher) as client:
        whole = client.get(f"{WES}/runs/{run}")
        tasks = client.get(f"{WES}/runs/{run}/tasks", page_size=500)["task_logs"]
        full = [client.get(f"{TES}/tasks/{task['id']}", view="FULL") for task in tasks]
        basic = [client.get(f"{TES}/tasks/{task['id']}", view="BASIC") for task in tasks]
        outputs = client.get("/api/airlock/v1/outputs", run=run)
    assert set(held)
    listed = {"run": whole, "tasks": sorted(map(plain, tasks)), "full": sorted(map(plain, full))}
    listed |= {"basic": sorted(map(plain, basic)), "outputs": plain(outputs)}
    return listed | {"run": plain(whole)}


def plain(value: Any) -> str:
    """Return `value` as text in which ids, times and datasets are all alike."""
    text = re.sub(r"[0-9a-f]{32}", "ID", str(value))
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    return text.replace("hapmap-changed", "DATASET").replace("hapmap-coarse", "DATASET")


def with_one_genotype_changed(file: Path) -> bytes:
    """Return the VCF with the first heterozygous genotype turned into the reference's."""
    text = gzip.decompress(file.read_bytes()).decode()
    changed = re.sub(r"\t0/1:", "\t0/0:", text, count=1)
    assert changed != text
    return gzip.compress(changed.encode())
