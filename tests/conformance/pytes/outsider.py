"""Speaks TES by py-tes, in an environment of its own: creates, waits, gets FULL, lists and cancels."""

import json
import sys
import time

import tes


def main() -> None:
    """Read where, who and what from standard input; print what was seen."""
    asked = json.load(sys.stdin)
    client = tes.HTTPClient(asked["url"], timeout=30, token=asked["token"])
    info = client.get_service_info()
    first = client.create_task(task_of(asked["task"]))
    client.wait(first, timeout=asked["patience"])
    whole = client.get_task(first, "FULL")
    listed, token = [], None
    while True:
        page = client.list_tasks(view="BASIC", page_size=1, page_token=token)
        listed += [task.id for task in page.tasks]
        token = page.next_page_token
        if not token:
            break
    second = client.create_task(task_of(asked["slow"]))
    client.cancel_task(second)
    end = time.monotonic() + asked["patience"]
    while (state := client.get_task(second, "MINIMAL").state) == "CANCELING" and time.monotonic() < end:
        time.sleep(0.1)
    try:
        client.create_task(task_of(asked["bad"]))
        refusal = ""
    except OSError as error:  # requests' own
        refusal = str(error)
    log = whole.logs[0]
    print(
        json.dumps(
            {
                "from": tes.__file__,
                "version": info.type.version if hasattr(info.type, "version") else info.type["version"],
                "task": first,
                "state": whole.state,
                "exit_codes": [one.exit_code for one in log.logs],
                "outputs": log.outputs or [],
                "system_logs": log.system_logs or [],
                "stdout": [one.stdout for one in log.logs],
                "inputs": [one.url for one in whole.inputs],
                "listed": listed,
                "canceled": state,
                "refusal": refusal,
            }
        )
    )


def task_of(said: dict) -> tes.Task:
    """Return py-tes' own object."""
    return tes.Task(
        name=said["name"],
        inputs=[tes.Input(url=one["url"], path=one["path"]) for one in said["inputs"]],
        outputs=[tes.Output(url=one["url"], path=one["path"]) for one in said["outputs"]],
        executors=[
            tes.Executor(image=one["image"], command=one["command"], workdir=one["workdir"], env=one["env"])
            for one in said["executors"]
        ],
    )


if __name__ == "__main__":
    main()
