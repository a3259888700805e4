"""What is measured, a file for each group; each has its CASES."""
