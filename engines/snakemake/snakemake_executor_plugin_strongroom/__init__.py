"""Runs every job of a Snakemake workflow as one task of the run's gateway."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings, ExecMode, ExecutorSettingsBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_executor_plugin_strongroom.admissible import check_rules
from snakemake_executor_plugin_strongroom.chains import Chain, Part, make_ready
from snakemake_executor_plugin_strongroom.gateway import Gateway, Refused
from snakemake_executor_plugin_strongroom.limits import no_limit_over_no_time
from snakemake_executor_plugin_strongroom.paths import use_vetted_sources
from snakemake_executor_plugin_strongroom.tasks import task_of
from snakemake_executor_plugin_strongroom.watch import Watch

if TYPE_CHECKING:
    from snakemake.jobs import GroupJob, Job
    from snakemake.rules import Rule

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """`--strongroom-socket PATH --strongroom-folder PATH`."""

    # Snakemake's command line understands Optional[str] only.
    socket: Optional[str] = field(  # noqa: UP045
        default=None, metadata={"help": "The Unix socket of this run's gateway.", "required": True}
    )
    folder: Optional[str] = field(  # noqa: UP045
        default=None,
        metadata={"help": "The folder that the vetters signed, if the Snakefile lies deeper.", "required": False},
    )


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=False,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)


# Plug-ins are loaded before the first line of a workflow is read.
use_vetted_sources()
no_limit_over_no_time()


class Executor(RealExecutor):
    """Sends jobs to the gateway and hears of their end by one long-poll for all; sleeps nowhere."""

    def __post_init__(self) -> None:
        check_rules(self.workflow.rules)
        # localrules would run inside the engine, which has stubs only.
        self.workflow._localrules.clear()
        for rule in self.workflow.rules:
            # Every task has a folder of its own, of which its declared outputs alone remain: that is shadow:.
            rule.shadow_depth = None
            _take_handover(rule)
        self._gateway = Gateway(self.workflow.executor_settings.socket)
        self._watch = Watch(
            self.workflow.executor_settings.socket,
            ended=self._ended,
            lost=self._lost,
        )

        self._tell_the_plan()

    def _tell_the_plan(self) -> None:
        """Say how many tasks there will be: Snakemake's own figure counts rules without a body too."""
        rules = Counter(job.rule.name for job in self.workflow.dag.needrun_jobs() if not job.is_norun)
        facts = {"event": LogEvent.RUN_INFO, "tasks": rules.total(), "tasks_of_rule": dict(rules)}
        self.logger.info(f"{rules.total()} tasks.", extra=facts)

    @property
    def cores(self) -> str:
        return "all"

    def get_exec_mode(self) -> ExecMode:
        return ExecMode.REMOTE

    def get_python_executable(self) -> str:
        return "python3"

    def run_job(self, job: "Job | GroupJob") -> None:
        info = SubmittedJobInfo(job=job)
        if job.is_group():
            self.report_job_submission(info)
            self._advance(Chain(info, job))
            return
        self.workflow.async_run(job.prepare())
        external = self._send(job)
        self.report_job_submission(info)
        self._watch.follow(external, info)

    def _send(self, job: "Job") -> str:
        try:
            return self._gateway.create(task_of(job, self.workflow))
        except (Refused, OSError) as error:
            raise WorkflowError(str(error), rule=job.rule) from error

    def _advance(self, chain: Chain) -> None:
        """Send the next jobs of a group, each a task of its own; a group that has none left is done."""
        try:
            jobs = chain.next()
            for job in jobs:
                make_ready(job)
            for external, job in [(self._send(job), job) for job in jobs]:
                self._watch.follow(external, Part(chain, job))
        except WorkflowError as error:
            self._failed(chain.info, f"{error} ")
            return
        if not jobs and chain.is_done():
            self.report_job_success(chain.info)

    def _ended(self, followed: SubmittedJobInfo | Part, state: str, exit_code: int | None) -> None:
        info = followed.chain.info if isinstance(followed, Part) else followed
        if state != "COMPLETE":
            if not isinstance(followed, Part) or followed.chain.fail():
                self._failed(info, f"The task ended as {state}, exit code {exit_code}. ")
        elif not isinstance(followed, Part):
            self.report_job_success(info)
        elif followed.chain.ended(followed.job):
            self._advance(followed.chain)

    def _failed(self, info: SubmittedJobInfo, msg: str) -> None:
        if info.job.is_group():  # what Snakemake says of one leaves the reason out
            self.logger.error(f"Group {info.job.groupid}: {msg}")
        self.report_job_error(info, msg=msg)

    def _lost(self, error: Exception) -> None:
        self.workflow.scheduler.executor_error_callback(error)

    def cancel(self) -> None:
        """Ask the gateway to cancel what still runs; a gateway that is gone has cancelled it already."""
        for external in self._watch.stop():
            try:
                self._gateway.cancel(external)
            except (Refused, OSError) as error:
                self.logger.warning(f"Task {external} could not be cancelled: {error}")
        self._gateway.close()

    def shutdown(self) -> None:
        self._watch.stop()
        self._gateway.close()

    def handle_job_success(self, job: Any) -> None:
        """Nothing is left to tidy: the gateway keeps the task's record."""

    def handle_job_error(self, job: Any) -> None:
        """Nothing is left to tidy: the gateway keeps the task's record."""


def _take_handover(rule: "Rule") -> None:
    """Make a rule with `handover:` one that takes a single core: here no job can have the whole machine."""
    if rule.is_handover:
        rule.is_handover = False
        rule.resources["_cores"] = 1
