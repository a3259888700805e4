"""What a benchmark asks about the process it runs in."""


def mib(field="VmHWM"):
    """A field of /proc/self/status in MiB: VmHWM is the process's peak of resident memory."""
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(field + ":"))
