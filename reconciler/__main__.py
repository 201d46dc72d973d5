"""The console script, and `python -m reconciler`."""

try:
    import os
    import sys

    try:
        import _signal as signal  # type: ignore[import-not-found]  # without the enums of signal: 4 ms
    except ImportError:
        import signal
except KeyboardInterrupt:
    raise SystemExit(130) from None

HELP = os.path.join(os.path.dirname(__file__), "cli", "help.txt")  # noqa: PTH118, PTH120  pathlib takes as long as Python
"""What `reconciler help` prints: a test compares them."""


def run() -> None:
    """Run the command line. Ctrl-C ends it without a traceback also while its modules are imported."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:] in (["--help"], ["-h"]) and _helped():
        return
    from reconciler.cli.commands import main  # noqa: PLC0415

    main()


def _helped() -> bool:
    """Print the help from its file, as click takes three times as long to import as Python takes to start.

    Returns False where click has to do it, and to say what is wrong.
    """
    name = os.path.basename(sys.argv[0])  # noqa: PTH119
    name = "python -m reconciler" if name == "__main__.py" else name
    if "_RECONCILER_COMPLETE" in os.environ:
        return False
    try:
        with open(HELP, "rb") as file:  # noqa: PTH123
            text = file.read().replace(b"Usage: reconciler ", b"Usage: %b " % name.encode(), 1)
        return os.write(1, text) == len(text)
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    run()
