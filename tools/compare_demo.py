"""Compares what `ichdet detect` found in the demo's phantom with what `ichdet phantom` put in.

Usage: compare_demo.py result.json truth.json. Exits with 1 where nothing was found though something was put in.
"""

import json
import math
import sys


def place(lesion: dict) -> str:
    letters = ("LR", "PA", "SI")
    return " ".join(f"{pair[mm < 0]} {abs(mm):.0f}" for pair, mm in zip(letters, lesion["centroid_mm"])) + " mm"


def main(result_path: str, truth_path: str) -> int:
    with open(result_path) as file:
        result = json.load(file)
    with open(truth_path) as file:
        truth = json.load(file)

    put_in = truth["hemorrhages"]
    print("put in:")
    for one in put_in:
        print(f"  {one['type']:<18} {one['volume_ml']:6.1f} mL at {place(one)}")
    answer = "yes" if result["decision"] else "no"
    doubt = "" if result["calibrated"] else " (not calibrated)"
    print(f"found: hemorrhage {answer}, probability {result['probability']:.2f}{doubt}")
    for one in result["lesions"][:3]:
        line = f"  {one['label']:<18} {one['volume_ml']:6.1f} mL at {place(one)}, confidence {one['confidence']:.2f}"
        if put_in:
            nearest = min(put_in, key=lambda other: math.dist(one["centroid_mm"], other["centroid_mm"]))
            distance = math.dist(one["centroid_mm"], nearest["centroid_mm"])
            line += f", {distance:.0f} mm from the {nearest['type']} one's centre"
        print(line)
    if len(result["lesions"]) > 3:
        print(f"  and {len(result['lesions']) - 3} smaller pieces (result.json lists them)")
    return 0 if result["decision"] or not put_in else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
