"""The frame of the performance suite: cases, contenders, interleaved runs, the machine's limits, the page.

`python benchmarks/run.py --help` runs it; benchmarks/cases holds what is measured.
"""
