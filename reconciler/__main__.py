"""The console script, and `python -m reconciler`."""

try:
    import signal
except KeyboardInterrupt:
    raise SystemExit(130) from None


def run() -> None:
    """Run the command line. Ctrl-C ends it without a traceback also while its modules are imported."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from reconciler.cli.commands import main  # noqa: PLC0415

    main()


if __name__ == "__main__":
    run()
