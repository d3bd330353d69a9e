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
from snakemake_executor_plugin_strongroom.gateway import Gateway, Refused
from snakemake_executor_plugin_strongroom.tasks import task_of
from snakemake_executor_plugin_strongroom.watch import Watch

if TYPE_CHECKING:
    from snakemake.jobs import Job

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """`--strongroom-socket PATH`."""

    # Snakemake's command line understands Optional[str] only.
    socket: Optional[str] = field(  # noqa: UP045
        default=None, metadata={"help": "The Unix socket of this run's gateway.", "required": True}
    )


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=False,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)


class Executor(RealExecutor):
    """Sends jobs to the gateway and hears of their end by one long-poll for all; sleeps nowhere."""

    def __post_init__(self) -> None:
        check_rules(self.workflow.rules)
        # localrules would run inside the engine, which has stubs only.
        self.workflow._localrules.clear()
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

    def run_job(self, job: "Job") -> None:
        self.workflow.async_run(job.prepare())
        try:
            external = self._gateway.create(task_of(job, self.workflow))
        except (Refused, OSError) as error:
            raise WorkflowError(str(error), rule=job.rule) from error
        info = SubmittedJobInfo(job=job, external_jobid=external)
        self.report_job_submission(info)
        self._watch.follow(external, info)

    def _ended(self, info: SubmittedJobInfo, state: str, exit_code: int | None) -> None:
        if state == "COMPLETE":
            self.report_job_success(info)
        else:
            self.report_job_error(info, msg=f"The task ended as {state}, exit code {exit_code}. ")

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
