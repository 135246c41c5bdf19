"""Keys of earlier versions and words of other programs: what each is called here, or why there is no such setting."""

from __future__ import annotations

RENAMED = {
    "verification.least_matches": "verification.min_matches",
    "clean.least_inliers": "clean.min_inliers",
    "clean.least_pairs": "clean.min_pairs",
    "clean.least_images": "clean.min_images",
    "overlap.least_inliers": "overlap.min_inliers",
    "verify.least_inliers": "verify.min_inliers",
}
CONSTANT = {
    "verification.most_zoom": "8",
    "verification.most_anisotropy": "4",
    "photos.public_share": "1/3",
    "bundle.platforms": "the manylinux platforms of Kaggle's image",
    "classify.projection_weight": "0.5",
    "classify.label_weight": "0.5",
}


def what_became_of(key: str) -> str | None:
    """The message about a key of an earlier version, None for one that never was. A step's keys are under its name: verify.top."""
    if key in RENAMED:
        return f"{key} is now called {RENAMED[key]}"
    if key in CONSTANT:
        return f"{key} is no longer a setting: it is always {CONSTANT[key]}"
    return None


_TRAIN_WORKERS = "train.workers, and extract.workers for extraction"
# What people bring along from other programs -> the key, or the answer.
WORDS = {
    "lr": "train.learning_rate",
    "base_lr": "train.learning_rate",
    "wd": "train.weight_decay",
    "bs": "train.batch_size",
    "batch": "train.batch_size",
    "num_epochs": "train.epochs",
    "max_epochs": "train.epochs",
    "amp": "train.precision=auto, float16 or bfloat16",
    "fp16": "train.precision=float16",
    "bf16": "train.precision=bfloat16",
    "fp32": "train.precision=float32",
    "mixed_precision": "train.precision",
    "grad_accum": "train.accumulate",
    "gradient_accumulation_steps": "train.accumulate",
    "grad_clip": "train.clip_norm",
    "head": "train.loss",
    "criterion": "train.loss",
    "sub_centers": "train.centres",
    "subcenters": "train.centres",
    "smoothing": "train.label_smoothing",
    "class_weights": "train.class_weight",
    "augment": "train.augmentation",
    "transforms": "train.augmentation",
    "img_size": "train.image_size, and extract.longest_side for extraction",
    "imgsz": "train.image_size, and extract.longest_side for extraction",
    "num_workers": _TRAIN_WORKERS,
    "workers": _TRAIN_WORKERS,
    "gpus": "run.processes (automatic: one a GPU)",
    "num_gpus": "run.processes (automatic: one a GPU)",
    "devices": "run.processes (automatic: one a GPU)",
    "arch": "models.NAME.backbone",
    "model": "models.NAME.backbone",
    "backbone": "models.NAME.backbone",
    "data": "dataset.folder",
    "data_dir": "dataset.folder",
    "root": "dataset.folder",
    "out": "run.folder",
    "output": "run.folder",
    "output_dir": "run.folder",
    "save_dir": "run.folder",
    "topk": "search.neighbours",
    "k": "search.neighbours",
    "resume": "automatic: the same command continues where it stopped",
    "continue": "automatic: the same command continues where it stopped",
    "ema": "train.ema",
    "ema_decay": "train.ema",
    "layer_decay": "train.layer_decay",
    "llrd": "train.layer_decay",
    "drop_path": "train.drop_path_rate",
    "dropout": "train.drop_rate",
    "grad_checkpointing": "train.gradient_checkpointing",
    "wandb": "train.track=wandb",
    "tensorboard": "train.track=tensorboard",
}


def what_is_called(location: list[str]) -> str | None:
    """The message about a word of another program, None where it is not known."""
    if location[0] in ("rerank", "ablate"):  # a step's own settings
        return None
    word = location[-1].lower().replace("-", "_").lstrip("_")
    return f"{'.'.join(location)} is here: {WORDS[word]}" if word in WORDS else None
