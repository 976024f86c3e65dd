"""What the launcher of the Flex Template runs: `headcount run` with the template's parameters.

    python main.py --config=gs://BUCKET/click.yaml --output=gs://BUCKET/out --overwrite=true

The launcher writes every parameter as `--name=value`, and adds Beam's options.
"""

import sys

import headcount

FLAGS = {"--overwrite", "--debug_samples", "--json"}
"""Options that the command has without a value."""


def to_arguments(parameters: list[str]) -> list[str]:
    """The parameters as the command knows them.

    Args:
        parameters: `--name=value`, as the launcher writes them.

    Raises:
        SystemExit: if a flag is neither true nor false.
    """
    arguments = []
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name not in FLAGS or not value:
            arguments.append(parameter)
        elif value in ("true", "false"):
            arguments += [name] * (value == "true")
        else:
            raise SystemExit(f"{name} must be true or false, not {value!r}")
    return arguments


if __name__ == "__main__":
    sys.exit(headcount.main(["run", *to_arguments(sys.argv[1:])]))
