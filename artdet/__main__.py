"""The command ``artdet``: sets the environment before anything heavy loads, and turns errors into sentences."""

from __future__ import annotations

import os
import sys
import warnings

# Both are read once, when torch loads. Threads that spin while they wait take the cores from each other (see Makefile).
# Every new image size leaves prepared convolutions behind, which else pile up to a gigabyte over a large collection.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")

import click

from artdet.cli.group import cli
from artdet.errors import ArtdetError, TrainingStopped


def main() -> None:
    """Runs the command line and exits: 0 well, 1 error, 2 wrong usage, 130 stopped by Ctrl-C."""
    if not sys.warnoptions and os.environ.get("ARTDET_DEBUG") != "1":
        warnings.simplefilter("ignore")  # what libraries tell their developers is no help to our users
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs the command line on ``arguments``; returns its exit status."""
    try:
        status = cli.main(arguments, prog_name="artdet", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.UsageError as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        print("stopped; everything so far is kept, and the same command goes on from here", file=sys.stderr)
        return 130
    except TrainingStopped as stopped:
        print(stopped, file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) went away; a second error at exit would only be noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ArtdetError as error:
        return _failed(str(error))
    except click.ClickException as error:
        return _failed(error.format_message())
    except MemoryError:
        return _failed("there is not enough memory. Use a smaller --batch, or a smaller max_side in the ensemble.")
    except Exception as error:
        return _failed(
            f"artdet met something that it did not expect ({type(error).__name__}: {error}). "
            "Please report it with what ARTDET_DEBUG=1 shows."
        )


def _failed(message: str) -> int:
    if os.environ.get("ARTDET_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    print(f"artdet: {message}".encode("utf-8", "replace").decode(), file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
