"""The commands: what each is called, which module and function do the work, and which arguments it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SAMPLE = "configs/sample.yaml"
PHOTOS = "configs/photos.yaml"


@dataclass(frozen=True)
class Argument:
    """An argument of one command, as argparse takes it; its value is handed to the function under its name."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A function of a configuration. Its module is imported when it runs, so that --help is fast.

    module         below the package; the function has the name of its last part, unless `function` says another
    arguments      what it takes beside the configuration, as keyword arguments; from the command line alone; `run` hands --yes to download
    launched       may run as several processes under Accelerate
    takes_command  it is given the command line, as `command`
    bare_word      the key that a word without "=" sets: import FOLDER
    bare_option    the argument of the function that a word without "=" gives: config SECTION
    config         the configuration file where none is named
    chain          what it needs of a chain whose steps are chosen by `auto`: "makes" chooses them, "reads" asks for those that were chosen
    makes          it makes or changes something in the run folder, which then keeps its configuration and a log
    A function that returns False ends the command with exit code 2.
    """

    module: str
    help: str
    function: str = ""
    arguments: tuple[Argument, ...] = ()
    launched: bool = False
    takes_command: bool = False
    bare_word: str | None = None
    bare_option: str | None = None
    config: str = SAMPLE
    chain: str = ""
    makes: bool = True


_QUERY = Argument("query", {"metavar": "QUERY", "help": "id of a photo of any split"})
_INDEX = Argument("index", {"metavar": "INDEX", "help": "id of another"})
_STEP = Argument("--step", {"type": int, "default": 1, "help": "which batch of the training, 1 = its first"})
_DRY_RUN = Argument("--dry-run", {"action": "store_true", "help": "print what would be fetched, its size and the disk it needs"})
_YAML = Argument("--yaml", {"action": "store_true", "help": "print YAML, to be fed back with --config"})
_YES = Argument("--yes", {"action": "store_true", "help": "upload to submit.competition without asking"})
_FETCH = Argument("--yes", {"action": "store_true", "help": "download more than 10 GB without asking"})
_STEPS = Argument("--steps", {"type": int, "default": 100, "help": "rates that are tried, a batch each"})
_LOWEST = Argument("--lowest", {"type": float, "default": 1e-6, "help": "first rate"})
_HIGHEST = Argument("--highest", {"type": float, "default": 1.0, "help": "last rate"})

STAGES = {
    "run": Stage("pipeline", "every stage in order, then the table of results", "run_all", arguments=(_FETCH,), takes_command=True),
    "sample": Stage("stages.sample", "render the built-in dataset", makes=False),
    "import": Stage(
        "stages.import_photos", "a folder of label/photo.jpg -> a dataset in GLDv2 layout", bare_word="dataset.folder", config=PHOTOS
    ),
    "prepare": Stage("stages.prepare", "a benchmark as its authors distribute it -> tables and ground truth"),
    "download": Stage(
        "stages.download",
        "fetch what the configuration names and is not there; --dry-run prints the plan",
        arguments=(_DRY_RUN, _FETCH),
        makes=False,
    ),
    "shrink": Stage("stages.shrink", "smaller copies of the training pictures, which train.shrunk=true trains on", launched=True),
    "train": Stage("stages.train", "train the models on train.csv", launched=True),
    "find-lr": Stage(
        "stages.find_lr",
        "the loss at rising learning rates, and the rate to begin with",
        arguments=(_STEPS, _LOWEST, _HIGHEST),
        bare_option="model",
    ),
    "plot-training": Stage("stages.plot_training", "loss, accuracy, mAP, rate and speed of the trainings as curves"),
    "extract": Stage("stages.extract", "global descriptors of every image", launched=True),
    "fit-weights": Stage("stages.fit_weights", "the weights of an ensemble's models, fitted on training images that were held out"),
    "clean": Stage("stages.clean", "train.csv -> train_clean.csv: the images that others of their label confirm", launched=True),
    "search": Stage("stages.search", "ensemble, whiten, nearest neighbours -> the first ranking", launched=True),
    "extract-local": Stage("stages.extract_local", "local features of the queries and what they found", launched=True, chain="makes"),
    "rerank": Stage("stages.rerank", "the chain of re-ranking steps", chain="makes"),
    "ablate": Stage("stages.ablate", "which steps and settings help, by how much, at what cost", chain="makes"),
    "recognize": Stage("stages.recognize", "which landmark each query shows -> a submission id,landmarks, and its GAP", chain="reads"),
    "submit": Stage(
        "stages.submit",
        "write and validate submission.csv; upload it to submit.competition where asked to",
        arguments=(_YES,),
        chain="reads",
    ),
    "bundle": Stage("stages.bundle", "all that a notebook without network needs, in one folder", chain="reads"),
    "evaluate": Stage(
        "stages.evaluate", "the score after every step by the dataset's protocol, or of evaluate.submission=FILE", chain="reads"
    ),
    "results": Stage("stages.results", "all evaluations so far, beside the published ones", makes=False),
    "overlap": Stage("stages.overlap", "photos that the training set shares with queries and index, and what their labels are worth"),
    "report": Stage("stages.report", "an HTML page of results and example queries", chain="reads"),
    "show-matches": Stage("stages.show_matches", "a picture of two photos with lines between what they share", arguments=(_QUERY, _INDEX)),
    "show-batch": Stage(
        "stages.show_batch",
        "a picture of what the augmentation does to a batch of training photos",
        arguments=(_STEP,),
        bare_option="model",
    ),
    "adopt": Stage(
        "stages.adopt",
        "keep changed files of a finished folder, and make again what depends on them",
        bare_option="folder",
    ),
    "doctor": Stage("stages.doctor", "what this machine has, what the configuration needs, and the next command", makes=False),
    "config": Stage(
        "stages.print_config",
        "print the merged configuration, every key with its meaning; SECTION prints one, such as train",
        arguments=(_YAML,),
        bare_option="section",
        makes=False,
    ),
}
