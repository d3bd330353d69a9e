"""Decides which rules may be sent to tasks; any other stops the workflow before its first task."""

from typing import TYPE_CHECKING

from snakemake.io import is_flagged
from snakemake_interface_common.exceptions import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snakemake.rules import Rule

# Directives that would run code or read data inside the engine, which must stay blind.
REFUSED_DIRECTIVES = {
    "is_notebook": "Notebooks do not run in tasks: turn the notebook into a script and name it by script:.",
    "is_wrapper": "Wrappers are fetched from elsewhere: copy the wrapper's code into the workflow's folder "
    "and name it by script:.",
    "is_template_engine": "template_engine: runs inside the engine, which sees no data: use script:.",
    "is_cwl": "cwl: brings an engine of its own: write the steps as rules.",
    "is_handover": "handover: gives the job to another engine: write the steps as rules.",
    "is_run": "run: blocks run inside the engine, which sees no data: use shell: or script:.",
    "group": "Job groups are not supported: each job is one task; remove group:.",
    "shadow_depth": "shadow: is not needed, every task has a folder of its own: remove it.",
    "benchmark": "benchmark: would be measured inside the engine: remove it; the run's log has the times.",
}
REFUSED_OUTPUTS = {
    "pipe": "pipe() needs jobs that run together: write a file, temp() if it may go.",
    "service": "service() needs jobs that run together: start what is needed inside the job's own command.",
    "update": "update() needs the old file in the task: write a new file.",
}


def check_rules(rules: "Iterable[Rule]") -> None:
    """Raise one WorkflowError that tells for each rule that cannot be tasks what its author can do."""
    wrong = [WorkflowError(sentence, rule=rule) for rule in rules for sentence in _wrong_with(rule)]
    if wrong:
        raise WorkflowError(*wrong)


def _wrong_with(rule: "Rule") -> "Iterator[str]":
    if rule.norun:
        return
    yield from (text for directive, text in REFUSED_DIRECTIVES.items() if getattr(rule, directive))
    for mark, text in REFUSED_OUTPUTS.items():
        if any(is_flagged(output, mark) for output in rule.output):
            yield text
    if not rule.container_img:
        yield "The rule names no image: add container: with a name of images.lock."
