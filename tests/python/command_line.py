"""What tests of the command line share."""


def refused(result, exit_code, error_code):
    """One line on stderr, nothing on stdout; returns the line."""
    assert result.returncode == exit_code, (result.stdout, result.stderr)
    assert result.stdout == ""
    assert result.stderr.startswith(f"ichdet: error[{error_code}]: "), result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr
