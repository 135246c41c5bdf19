"""The training losses: one file each, whose name is the loss's name in the configuration (train.loss).

To add a loss, add a file with one subclass of CosineClassifier that defines `with_margin`, and its test.
"""
