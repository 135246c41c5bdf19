"""The shipped configurations become a part of the package when it is built; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages("src"), "landmarks.configs"],
    package_dir={"": "src", "landmarks.configs": "configs"},
    package_data={
        "landmarks.configs": ["*.yaml"],
        "landmarks": ["py.typed", "store/*.csv", "notebook/*.ipynb"],
        "sample_world": ["py.typed"],
    },
)
