"""Compares what `ichdet detect` found in the demo's phantom with what `ichdet phantom` put in.

Usage: compare_demo.py result.json truth.json. Exits with 1 where nothing was found though something was put in.
"""

import json
import math
import sys


def main(result_path: str, truth_path: str) -> int:
    with open(result_path) as file:
        result = json.load(file)
    with open(truth_path) as file:
        truth = json.load(file)

    print("put in:")
    for lesion in truth["lesions"]:
        x, y, z = lesion["centroid_mm"]
        print(f"  {lesion['type']:<20} {lesion['volume_ml']:7.2f} mL at ({x:.0f}, {y:.0f}, {z:.0f}) mm LPS")
    print(f"found: hemorrhage {'yes' if result['decision'] else 'no'}, probability {result['probability']:.2f}")
    for lesion in result["lesions"]:
        distance = min((math.dist(lesion["centroid_mm"], other["centroid_mm"]) for other in truth["lesions"]), default=None)
        x, y, z = lesion["centroid_mm"]
        print(
            f"  {lesion['label']:<20} {lesion['volume_ml']:7.2f} mL at ({x:.0f}, {y:.0f}, {z:.0f}) mm LPS, "
            f"confidence {lesion['confidence']:.2f}"
            + (f", {distance:.0f} mm from what was put in" if distance is not None else "")
        )
    return 0 if result["decision"] or not truth["lesions"] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
