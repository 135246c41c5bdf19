"""The training losses: one file each, whose name is the loss's name in the configuration (train.loss).

To add a loss, add a file with one subclass of CosineClassifier that defines `with_margin`, and its test.
Several centres a class, margins by frequency and the scale are the same for all of them (models/cosine_classifier.py).
"""
