"""Every finding that reading a workflow can give: how grave it is, why it matters, and what its author can do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """`error`: it would not run, or must not be signed; `look`: vetters read this place; `hint`: good manners."""

    ERROR = "error"
    LOOK = "look"
    HINT = "hint"


@dataclass(frozen=True)
class Entry:
    """What a code means."""

    severity: Severity
    reason: str
    cure: str


E, L, H = Severity.ERROR, Severity.LOOK, Severity.HINT
TABLE: Final[dict[str, Entry]] = {
    # The workflow's form
    "unreadable": Entry(
        E,
        "The engine's parser does not understand this file, or it holds what no reading of it sees through.",
        "Correct the syntax. A script of Nextflow's holds no classes, annotations or `addParams`, no import under "
        "another name, and no `if` round directives, inputs, outputs or includes; a configuration holds no loops.",
    ),
    "rule-unnamed": Entry(
        L, "The engine numbers a rule without a name (rule_N), so a draft cannot bind it.", "Give the rule a name."
    ),
    "rule-twice": Entry(
        L,
        "Two rules have this name, and a parameter says which of them a run has: no template binds both, and only "
        "the last is read here.",
        "Name them apart.",
    ),
    "rule-reused": Entry(
        L,
        "Its names are computed or its module's file is not in the folder, so this reading does not see its rules.",
        "Name rules and modules literally, or write the commands into the manifest by hand.",
    ),
    "include-computed": Entry(
        L, "What is included is computed, so this reading did not follow it.", "Include files by literal names."
    ),
    "configfile": Entry(
        L, "A configuration of its own adds values that no schema checks.", "Move them to the manifest's parameters."
    ),
    "workdir": Entry(E, "Runs have one working folder.", "Remove workdir:."),
    "envvars": Entry(E, "Engines and tasks have no environment of a caller.", "Use parameters."),
    "hook": Entry(L, "Hooks run in the engine, which sees no data.", "Remove them, or make them print nothing."),
    "hook-prints": Entry(
        H, "What a hook prints stands in the engine's log, which stays inside.", "Keep it: it changes nothing."
    ),
    # Code from elsewhere
    "remote-wrapper": Entry(
        E, "The wrapper is not in the folder; there is no network.", "Copy it, with its version, below wrappers/."
    ),
    "remote-include": Entry(
        E, "Code is fetched from elsewhere; there is no network, and nobody signed it.", "Copy it into the folder."
    ),
    "remote-storage": Entry(E, "Storage plug-ins reach out.", "Declare inputs as slots of the manifest."),
    "conda": Entry(H, "Nobody reads it: tools come with the image.", "Build its packages into the image."),
    # Images
    "image-none": Entry(E, "The rule names no image.", "Add container: with a name of the manifest's images."),
    "image-unknown": Entry(
        E, "The image is not one of the manifest's, so no digest is signed for it.", "Name it below images."
    ),
    "image-without-digest": Entry(
        E, "The manifest names an image that is not imported here.", "Import it: `strongroom image import --name`."
    ),
    # What a rule does
    "run-block": Entry(E, "run: runs inside the engine, which sees no data.", "Use shell: or script:."),
    "notebook": Entry(E, "Notebooks do not run in tasks.", "Turn it into a script."),
    "engine-inside": Entry(E, "The rule runs inside the engine or brings one.", "Use shell: or script:."),
    "together": Entry(E, "pipe() and service() need jobs that run together.", "Write a file, temp() if it may go."),
    "update": Entry(E, "update() changes a file that is sealed already.", "Write a new file."),
    "checksum": Entry(
        E,
        "ensure() with a checksum reads content, which the engine does not see.",
        "Compare the checksum in the rule's own command.",
    ),
    "script-outside": Entry(
        E, "The script is not a file of the folder, so nobody signed it.", "Copy it into the folder."
    ),
    "script-relative": Entry(
        E,
        "The command names a file of the folder, and a task has its inputs alone beside it.",
        "Write `{workflow.basedir}/…` (from the Snakefile's folder), or make it an input and lay it by work.",
    ),
    "script-language": Entry(
        L, "Calls of scripts in this language are not compared word by word.", "Use Python, or mark the rule free."
    ),
    "absolute-path": Entry(L, "An absolute path ties the rule to one machine.", "Use paths inside the run."),
    "network-tool": Entry(
        L, "Tasks have no network; a tool for it has no business here.", "Bring data in as a dataset."
    ),
    "network-library": Entry(L, "Tasks have no network; a library for it is out of place.", "Remove the import."),
    "secret-inside": Entry(
        E,
        "A key, token or password stands here; whoever may read the workflow has it.",
        "Withdraw it where it is good for; tasks have no network to use it in.",
    ),
    "input-is-code": Entry(
        L,
        "A file of the run is run as code: whoever makes it chooses the command.",
        "Run scripts of the folder only.",
    ),
    "shell-inside-shell": Entry(
        L, "Text is evaluated a second time, so quotes no longer hold.", "Say the command itself."
    ),
    "resources-computed": Entry(
        H, "Resources that a function computes cannot be foreseen.", "Write numbers, or a parameter."
    ),
    "log-none": Entry(
        H, "Without log: what a tool says is only in the task's sealed output.", "Add log:, and write to it."
    ),
    # What reaches a shell
    "parameter-unquoted": Entry(
        L, "A text by pattern reaches the shell without quotes.", "Make it an enum, or quote it: {params.x:q}."
    ),
    "wildcard-free": Entry(
        L, "A wildcard without a constraint reaches the shell.", "Constrain it: wildcard_constraints:."
    ),
    "params-computed": Entry(
        L, "Code makes a text for the command, so no template binds it.", "Use parameters, choices or numbers."
    ),
    "queue": Entry(
        L,
        "What fills from_queue() runs inside the engine while tasks run, and chooses what is made.",
        "List the files: by a function, or by a checkpoint.",
    ),
    # Python that runs while the workflow is read
    "parse-process": Entry(
        L, "A process is started while the workflow is read.", "Do it in a rule; the engine sees no data."
    ),
    "parse-eval": Entry(
        L,
        "Text is run as code while the workflow is read; who knows what it does.",
        "Write the code itself.",
    ),
    "parse-reads": Entry(
        L,
        "A file is read while the workflow is read; inputs have no content there, but for clear files.",
        "Read it in a rule; a sample sheet is a parameter, or a grant of the manifest under clear; a checkpoint's "
        "file is granted under lists, and a file of this folder goes below work.",
    ),
    "parse-network": Entry(L, "A library for the network is loaded while the workflow is read.", "Remove it."),
    "shell-prefix": Entry(
        E, "Another prefix or shell makes every command one that nobody signed.", "Remove shell.prefix and its kin."
    ),
    # What of a dataset the engine itself reads
    "clear-needed": Entry(
        L,
        "The workflow's own code reads a file of this input while its engine plans; without a grant it finds zeros.",
        "Grant it under clear (`vet --draft` writes an entry): its name, the letters and lines that it needs. "
        "The data's owner adds the file by this name with `strongroom dataset add --clear`: then, or never.",
    ),
    # What of tasks' files the engine itself sees
    "names-needed": Entry(
        E,
        "The engine does not see what a task puts into this folder: it plans as if it were empty.",
        "Grant it under names (`vet --draft` writes an entry): the letters, length and number of the paths in it.",
    ),
    "lists-needed": Entry(
        E,
        "The engine reads a file that a task writes, and finds zeros in it: it plans by them.",
        "Grant it under lists (`vet --draft` writes an entry where the rule's one output is written out): the "
        "letters, length and number of its lines.",
    ),
    # The manifest against the workflow
    "contract-rule": Entry(
        E, "The contract names a rule that the workflow does not have.", "Name the rule that writes the file."
    ),
    "contract-output": Entry(
        E, "The rule that the contract names does not write such a file.", "Correct match, or rule."
    ),
    "output-not-promised": Entry(
        H, "A file at the end of the workflow is in no line of the contract: it stays inside.", "Add a line."
    ),
    "contract-unpublished": Entry(
        L, "The contract promises a file that nothing publishes.", "Publish it, or leave its line out."
    ),
    "command-missing": Entry(
        E, "The manifest does not say what this rule may run, so it will not.", "`vet --draft` writes commands."
    ),
    "command-differs": Entry(
        E, "The manifest's command is not the workflow's, so the rule will be refused.", "Write it anew."
    ),
    "command-free": Entry(
        L, "The rule's command is not bound: a hostile engine may run anything in its name.", "Make it a template."
    ),
    "hole-wider": Entry(
        L, "The manifest lets more into a hole than the workflow needs.", "Take the type that `vet --draft` writes."
    ),
    # Nextflow: the workflow's form
    "reader-failed": Entry(
        E,
        "The engine's parser ended, or took too long, before it had read all.",
        "Split it; write it plainly.",
    ),
    "include-missing": Entry(E, "The folder has no such module.", "Copy the module into the folder."),
    "config-own": Entry(
        L,
        "Its code runs in the engine, and no schema checks its values; what Strongroom sets comes after it.",
        "Read it; move parameters to the manifest.",
    ),
    "config-unread": Entry(
        H, "The engine reads nextflow.config beside the manifest alone.", "Remove it, or include it there."
    ),
    "setting-overridden": Entry(H, "What Strongroom sets comes after this setting.", "Leave it out."),
    "setting-ignored": Entry(
        H,
        "Nothing here reads this setting: it is for containers, clouds, schedulers, reports or profiles elsewhere.",
        "Leave it out, unless the workflow is run elsewhere too.",
    ),
    "setting-env": Entry(L, "No task gets an environment from a configuration.", "Set the variable in script:."),
    "setting-unknown": Entry(L, "Nextflow has no setting of this name.", "Correct the name, or leave it out."),
    "setting-refused": Entry(
        E,
        "The setting brings code that nobody signed, secrets, or another place or run than this one.",
        "Copy what is needed into the folder or the image, and leave it out.",
    ),
    "code-beside": Entry(
        L, "Code in lib/ runs in the engine, which sees no data.", "Keep it small; vetters read it."
    ),
    "code-compiled": Entry(
        E, "Nobody can read compiled code.", "Put its source into lib/, or its tool into the image."
    ),
    # Nextflow: what runs inside the engine
    "exec-block": Entry(E, "exec: runs inside the engine, which sees no data.", "Write the steps as script:."),
    "engine-reads": Entry(
        L,
        "The engine would read a file; of a dataset's file it reads a stub's zeros.",
        "Read it in a process; a sample sheet is a parameter, or a grant of the manifest under clear.",
    ),
    "engine-writes": Entry(
        E,
        "What the workflow's own code writes is no file of the run: no task gets it, and it is lost.",
        "Write it in a process, which takes what `collect()` brings together.",
    ),
    "channel-endless": Entry(
        E, "This channel never ends, and so the run would not.", "Take inputs from params.inputs."
    ),
    "engine-process": Entry(L, "The engine would start a process; it sees no data.", "Do it in a process's script."),
    "engine-host": Entry(
        L,
        "The engine's own host has nothing of a run: neither its environment, nor its files.",
        "Take parameters, and files by `file()`.",
    ),
    "engine-eval": Entry(
        L, "Text is run as code, or code changes what is compiled; who knows what it does.", "Write the code itself."
    ),
    "engine-network": Entry(E, "The engine has no network.", "Bring data in as a dataset."),
    "remote-file": Entry(L, "There is no network; nothing can be had from this place.", "Bring it in as a dataset."),
    # Nextflow: what a process says
    "directive-refused": Entry(
        E,
        "The engine refuses a workflow with this directive.",
        "Put beforeScript and afterScript into script:, modules into the image; leave the others out.",
    ),
    "directive-ignored": Entry(H, "Passed over: every executor means Strongroom's tasks.", "Leave it out."),
    "container-options": Entry(
        L, "Options of a container's runtime would change walls; they are passed over.", "Leave it out."
    ),
    "input-unfit": Entry(
        E, "Shells, loaders or interpreters obey a variable of this name.", "Give the input env another name."
    ),
    "name-unfit": Entry(
        E, "Names of files are letters without accents, digits and . _ + = , - here.", "Give the file another name."
    ),
    "name-of-value": Entry(
        L,
        "A call gives this process a value that makes a name which no file of a run can have: its task is refused.",
        "Name the output by something else, or give it another value: letters, digits and . _ + = , - alone.",
    ),
    "exit-codes": Entry(
        L,
        "Of exit codes engines see 0, 1, 130, 137 and 143 only: others tell of data, and are 1 (T4).",
        "Retry at 137 and 143, or without a condition.",
    ),
    "output-to-engine": Entry(
        E, "Outputs stdout, env and eval would show data to the engine.", "Write a file and declare path."
    ),
    "output-unfit": Entry(
        E,
        "An output has a plain name inside the task's folder, without a dot before it.",
        "Rename it; leave `hidden` out.",
    ),
    "output-none": Entry(H, "The process declares no output, so all that it writes is lost.", "Declare path."),
    "publish-computed": Entry(
        L,
        "Code makes the folder that is published to, so it is not compared with the contract.",
        "Write the folder's name.",
    ),
    "publish-outside": Entry(
        E, "What is published would leave the run.", "Name a folder of the run, beside inputs and work."
    ),
    "outputs-off": Entry(
        E,
        "An output block is a preview of this Nextflow's, and is off.",
        "Write nextflow.preview.output = true into the script.",
    ),
    "output-index": Entry(
        L,
        "The engine writes the index from what it knows: it is no file of the run, and is lost.",
        "Have a process write it.",
    ),
    # Nextflow: what reaches a shell
    "script-computed": Entry(
        L, "Code makes the script, so no template can be drafted, nor compared.", "Write it as one text with holes."
    ),
    "parameter-in-script": Entry(
        L,
        "A parameter that can be any text of its pattern reaches the script.",
        "Make it a number or an enum in the manifest's schema, or read its pattern with care.",
    ),
    "value-in-script": Entry(
        L,
        "A value reaches a script that no template binds, so it can hold anything.",
        "Bind the process by a template: its holes take plain words alone.",
    ),
    "word-unclear": Entry(
        L,
        "Code makes a word that may be nothing, several words or an option, and fits no hole: drafts leave it free.",
        "Choose between texts (`x ? '-f' : ''`), one choice in a line and none in another, without a function.",
    ),
    "value-unfit": Entry(
        E,
        "No template of the manifest has this value of the schema in its place, so a run with it is refused.",
        "This value fits no hole: write it into the template, or take it out of the enum, or the default.",
    ),
    "parameter-undeclared": Entry(
        L,
        "The manifest's schema has no such parameter, so a run cannot give it, and nothing checks what it is.",
        "Add it to parameters or inputs, or leave it out.",
    ),
    "process-missing": Entry(
        E, "The manifest does not say what this process may run, so it will not.", "`vet --draft` writes processes."
    ),
    "process-differs": Entry(
        E, "No template of the manifest is this process's script, so it will be refused.", "Write it anew."
    ),
    "process-free": Entry(
        L, "The process's script is not bound: a hostile engine may run anything in its name.", "Make it a template."
    ),
}
