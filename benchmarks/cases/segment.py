"""Volumes through segmentation networks: patches, mirrors, members, memory; beside MONAI, nnU-Net and blast-ct."""

import itertools
import json
import math
import sys
import types

import numpy as np

from suite import networks, viola_ai
from suite.arrays import unlike
from suite.case import Case, Contender, Work
from suite.inputs import blast_ct_bundles, cli, real_data
from suite.viola_ai import ROI

SLICES = 32  # of the phantoms of 3 mm
EVERYWHERE = {"region": "everywhere"}


def segmenter(bundles, threads, precision, **options):
    """A call that gives labels and P(blood), as detectors use them."""
    import ichdet.nn

    made = ichdet.nn.Segmenter(bundles, threads=threads, precision=precision, **options)

    def label(volume):
        found = made.label(volume)
        return np.asarray(found.labels.labels), np.asarray(found.blood)

    return label


# --- DynUNet, VIOLA-AI's nnU-Net --------------------------------------------------------------------------------------

PRECISIONS = {"ichdet": "float32", "ichdet adaptive": "adaptive", "ichdet bfloat16": "bfloat16"}
DICE_GAPS = {"ichdet adaptive": 0.01, "ichdet bfloat16": 0.05, "others": 1e-3}
MIRRORS = [(), ("x",), ("y",), ("x", "y")]


def with_dynunet(precision, **options):
    def open_contender(folder, threads):
        label = segmenter([folder / "dynunet"], threads, precision, **options)
        volume = viola_ai.volume(np.load(folder / "hu.npy"))
        return lambda: label(volume)[0] == 1

    return open_contender


def sliding_window(hemorrhages, name, title):
    def prepare(folder):
        viola_ai.write_member("dynunet", folder, {"crop": "foreground", "merge": "logits"})
        np.save(folder / "hu.npy", viola_ai.phantom(5, hemorrhages, SLICES)[0])

    def work(folder):
        size = viola_ai.windows(np.load(folder / "hu.npy"))[0].shape[1:]
        patches = math.prod(max(0, math.ceil((n - r) / (r / 2))) + 1 for n, r in zip(size, ROI))
        return Work(flop=patches * networks.work("dynunet", 1).flop)

    case = Case(name, title, prepare, lambda masks: unlike(masks, "ichdet", DICE_GAPS, not hemorrhages), work)
    for who, precision in PRECISIONS.items():
        case.contender(who)(with_dynunet(precision))

    @case.contender("MONAI")
    def with_monai(folder, threads):
        import torch
        from monai.inferers import sliding_window_inference

        network, hu = viola_ai.member("dynunet", folder), np.load(folder / "hu.npy")

        def run():
            image, box = viola_ai.windows(hu)
            with torch.inference_mode():
                logits = sliding_window_inference(torch.from_numpy(image)[None], ROI, 1, network, overlap=0.5)
            return viola_ai.from_box(logits[0].argmax(0).numpy() == 1, box, hu.shape)

        return run

    return case


def write_mirrors(folder):
    viola_ai.write_member("dynunet", folder, {"merge": "logits", "test_time": [{"flip": list(m)} for m in MIRRORS]})
    hu = viola_ai.phantom(5, [("iph", 70)], SLICES)[0]
    middle = tuple(slice((n - r) // 2, (n - r) // 2 + r) for n, r in zip(hu.shape, ROI[::-1]))
    np.save(folder / "hu.npy", np.ascontiguousarray(hu[middle]))


mirrors = Case("segment/mirrors", "DynUNet, one patch of 160 x 160 x 32 and its three mirrors, mean of logits",
               write_mirrors, lambda masks: unlike(masks, "ichdet", DICE_GAPS),
               lambda folder: Work(flop=len(MIRRORS) * networks.work("dynunet", 1).flop))
for who, precision in PRECISIONS.items():
    mirrors.contender(who)(with_dynunet(precision, **EVERYWHERE))


@mirrors.contender("PyTorch")
def mirrors_pytorch(folder, threads):
    import torch

    network, hu = viola_ai.member("dynunet", folder), np.load(folder / "hu.npy")
    views = [[2 + "xyz".index(axis) for axis in mirror] for mirror in MIRRORS]

    def run():
        # The whole patch, of which windows() keeps the foreground.
        image, box = viola_ai.windows(hu)
        whole = torch.zeros(1, 3, *ROI)
        whole[(0, slice(None), *box)] = torch.from_numpy(image)
        with torch.inference_mode():
            logits = sum(network(whole.flip(axes)).flip(axes) for axes in views)
        everything = (slice(None),) * 3
        return viola_ai.from_box(logits[0].argmax(0).numpy() == 1, everything, hu.shape)

    return run


# --- nnU-Net ----------------------------------------------------------------------------------------------------------


def write_nnunet(folder):
    """A trained folder as nnU-Net leaves one, of a network as it plans for thick slices; weights are random."""
    import nnunet_folder
    import torch
    from oracle_segmenters import settled

    network, options = networks.NETWORKS["plain_conv_unet"], networks.NNUNET
    plans = nnunet_folder.plans()
    base = plans["configurations"]["base"]
    base["patch_size"] = list(network.shape[1:])
    arguments = base["architecture"]["arch_kwargs"]
    arguments["n_stages"] = len(options["strides"])
    arguments |= {key: value for key, value in options.items() if key not in ("input_channels", "num_classes")}
    for what in ("seg", "probabilities"):
        base[f"resampling_fn_{what}"] = "resample_data_or_seg_to_shape"
        base[f"resampling_fn_{what}_kwargs"] = {"is_seg": what == "seg", "order": 1, "order_z": 0,
                                                "force_separate_z": None}
    trained = folder / "trained"
    (trained / "fold_0").mkdir(parents=True)
    (trained / "plans.json").write_text(json.dumps(plans))
    labels = {"background": 0, "hemorrhage": 1}
    (trained / "dataset.json").write_text(json.dumps(nnunet_folder.dataset() | {"labels": labels}))
    state = settled(network.reference(), torch.randn(1, 1, 16, 64, 64)).state_dict()
    torch.save({"network_weights": state, "trainer_name": "nnUNetTrainer", "inference_allowed_mirroring_axes": None,
                "init_args": {"configuration": "3d_fullres"}}, trained / "fold_0" / "checkpoint_final.pth")
    cli("import", "nnunet", trained, "-o", folder / "bundle", "--blood", "hemorrhage", "-q")
    np.save(folder / "hu.npy", viola_ai.phantom(5, [("iph", 70)], SLICES)[0])


nnunet = Case("segment/nnunet", "PlainConvUNet of 6 stages, imported from nnU-Net, random weights; phantom of "
              "230 x 230 x 32, 4 patches of 160 x 160 x 32", write_nnunet,
              lambda masks: unlike(masks, "ichdet", {"ichdet adaptive": 0.02, "ichdet bfloat16": 0.1, "others": 0.01}),
              lambda folder: Work(flop=4 * networks.work("plain_conv_unet", 1).flop))


def with_nnunet(precision):
    def open_contender(folder, threads):
        label = segmenter([folder / "bundle"], threads, precision, **EVERYWHERE)
        volume = viola_ai.volume(np.load(folder / "hu.npy"))
        return lambda: label(volume)[0] == 1

    return open_contender


for who, precision in PRECISIONS.items():
    nnunet.contender(who)(with_nnunet(precision))


@nnunet.contender("nnU-Net")
def nnunet_itself(folder, threads):
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    trained = folder / "trained"
    plans = PlansManager(trained / "plans.json")
    stored = torch.load(trained / "fold_0" / "checkpoint_final.pth", weights_only=False)
    # initialize_from_trained_model_folder does this too, and wants all that training needs.
    predictor.manual_initialization(
        networks.NETWORKS["plain_conv_unet"].reference(), plans, plans.get_configuration("3d_fullres"),
        [stored["network_weights"]], json.loads((trained / "dataset.json").read_text()), stored["trainer_name"], None)
    hu = np.load(folder / "hu.npy")
    return lambda: predictor.predict_single_npy_array(hu[None], {"spacing": [3, 1, 1]}) == 1


# --- BLAST-CT ---------------------------------------------------------------------------------------------------------

TILES, CORE, MARGIN = 8, 30, 80  # of the package's patches: how many are run, its answer's edge, and what lies around


def write_blast_phantom(folder, members=1):
    import ichdet

    blast_ct_bundles(folder, members)
    stack = ichdet.phantom(seed=3, hemorrhages=[ichdet.Hemorrhage("iph", 30)]).stack
    write_scan(stack, folder)


def write_blast_real(folder):
    import ichdet

    blast_ct_bundles(folder)
    write_scan(ichdet.read_dicom(real_data("head_ct_ge_tilt")), folder)


def write_scan(stack, folder):
    """At 1 mm."""
    import ichdet

    grid = ichdet.segmentation_grid(stack.geometry, [1, 1, 1])
    np.save(folder / "hu.npy", ichdet.resample_to(stack, grid, outside=float(stack.hu.min())).hu)


def with_blast(precision, region="head", engine="auto", members=1):
    def open_contender(folder, threads):
        import ichdet

        bundles = sorted((folder / "bundles").iterdir())[:members]
        label = segmenter(bundles, threads, precision, region=region, engine=engine)
        hu = np.load(folder / "hu.npy")
        volume = ichdet.Volume(hu, ichdet.Geometry.aligned(hu.shape[::-1], [1, 1, 1]))
        return lambda: label(volume)

    return open_contender


def blast_network():
    """The package's, with the published weights of member 1."""
    import torch

    # Only the package's training hooks use tensorboard; it need not be installed.
    sys.modules.setdefault("torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=None))
    from blast_ct.read_config import get_model

    data = real_data("blast_ct_v1")
    network = get_model(json.loads((data / "config.json").read_text()))
    network.load_state_dict(torch.load(data / "model_1.pt", map_location="cpu", weights_only=True))
    return network.eval()


def with_package(core=CORE, tiles=TILES, flush=True):
    def open_contender(folder, threads):
        import torch

        network = blast_network()
        from blast_ct.nifti.datasets import FullImageToOverlappingPatchesNiftiDataset as Dataset
        from blast_ct.nifti.patch_samplers import PatchSampler, get_patch_and_padding

        hu = np.load(folder / "hu.npy")
        image = ((2 * np.clip(hu, -15, 100) + 15 - 100) / 115).astype(np.float32)[None]
        sampler = PatchSampler((core + MARGIN,) * 3, (core,) * 3)
        centres = Dataset.get_center_points(hu.shape, (core,) * 3)
        chosen = [centres[int((i + 0.5) * len(centres) / tiles)] for i in range(tiles)]

        def run():
            torch.set_flush_denormal(flush)
            found = []
            with torch.inference_mode():
                for centre in chosen:
                    patch = torch.from_numpy(sampler.get_image_patch(image, centre)[None])
                    probabilities = torch.softmax(network(patch)[0], 1)[0].numpy()
                    where, beyond = get_patch_and_padding(hu.shape, (core,) * 3, centre)
                    inside = tuple(slice(low, core - high) for low, high in beyond)
                    found.append((tuple(where), probabilities[(slice(None), *inside)]))
            return found

        note = f"{tiles} of {len(centres)} tiles, scaled up" + ("" if flush else "; denormals as they come")
        return Contender(run, note, tiles / len(centres))

    return open_contender


def blast_agrees(outputs):
    """P(blood) of the package's tiles, where ours was asked for it; the lesions that the precisions find."""
    blood = outputs["ichdet"][1]
    found = {}
    for who, output in outputs.items():
        if who.startswith("ichdet"):
            continue
        gaps = [np.where(blood[where] > 0, p[[1, 2, 4]].sum(0) - blood[where], 0) for where, p in output]
        found[who] = max(float(np.abs(gap).max(initial=0)) for gap in gaps)
        assert found[who] < 1e-4, f"P(blood) of {who} differs by {found[who]:.3g}"
    lesions = {who: output[0] > 0 for who, output in outputs.items() if who.startswith("ichdet")}
    return found | unlike(lesions, "ichdet", {"ichdet bfloat16": 0.05, "others": 0.02})


def blast_work(folder):
    """0.85 MFLOP for each voxel of the head; what patches add at their rims is left out."""
    import ichdet

    hu = np.load(folder / "hu.npy")
    head = ichdet.head_mask(ichdet.Volume(hu, ichdet.Geometry.aligned(hu.shape[::-1], [1, 1, 1])))
    return Work(flop=0.85e6 * int(np.count_nonzero(head)))


BLAST = {
    "ichdet": with_blast("float32"), "ichdet adaptive": with_blast("adaptive"),
    "ichdet bfloat16": with_blast("bfloat16"), "ichdet adaptive, brain": with_blast("adaptive", "brain"),
    "ichdet by OpenVINO, brain": with_blast("float32", "brain", "openvino"), "blast-ct": with_package(),
    "blast-ct, 140-voxel patches": with_package(core=60, tiles=2),
    "blast-ct, as published": with_package(tiles=1, flush=False),
}
blast = Case("segment/blast-ct", "BLAST-CT, member 1, a phantom at 1 mm, 30 mL of blood: volume to probabilities",
             write_blast_phantom, blast_agrees, blast_work)
blast_real = Case("segment/blast-ct-real", "the same, head_ct_ge_tilt", write_blast_real, blast_agrees, blast_work,
                  threads=(0,))
for who, open_contender in BLAST.items():
    blast.contender(who)(open_contender)
    if "published" not in who:  # its minutes say nothing more there
        blast_real.contender(who)(open_contender)


def members(count):
    case = Case(f"scaling/members-{count}", f"BLAST-CT, {count} of 12 members, a phantom at 1 mm",
                lambda folder: write_blast_phantom(folder, count), lambda outputs: {},
                lambda folder: Work(flop=count * blast_work(folder).flop), threads=(1, 0), items=count)
    case.contender("ichdet")(with_blast("auto", members=count))
    return case


# --- memory -----------------------------------------------------------------------------------------------------------

LARGE = (320, 512, 512)


def write_large(folder):
    """A network that is cheap, since a real one would take hours; all around it is what a real one gets."""
    import ichdet
    import torch
    from monai.networks.nets import DynUNet
    from segmentation_bundles import write_bundle

    stack = ichdet.phantom(seed=1, rows=256, columns=256, pixel_mm=1, slices=80, thickness_mm=2, subsamples=1,
                           hemorrhages=[ichdet.Hemorrhage("iph", 30)]).stack
    grid = ichdet.segmentation_grid(stack.geometry, [1, 1, 2]).with_spacing([0.5, 0.5, 0.5])
    hu = ichdet.resample_to(stack, grid).hu
    hu = np.pad(hu, [(0, max(0, n - m)) for n, m in zip(LARGE, hu.shape)], mode="edge")
    np.save(folder / "hu.npy", np.ascontiguousarray(hu[tuple(slice(0, n) for n in LARGE)]))
    torch.manual_seed(0)
    options = {"kernel_size": [[1, 1, 1]] * 3, "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]], "filters": [2, 4, 4],
               "upsample_kernel_size": [[2, 2, 2], [2, 2, 2]], "in_channels": 1, "out_channels": 7}
    network = DynUNet(3, norm_name=("INSTANCE", {"affine": True}), res_block=False, **options)
    flips = [[axis for axis, flip in zip("zyx", bits) if flip] for bits in itertools.product((0, 1), repeat=3)]
    write_bundle(folder / "bundle", network, "DynUNet", {**options, "norm": "instance", "deep_supervision": False,
                                                         "res_block": False, "trans_bias": False},
                 classes=["background", *"abcdef"],
                 input={"spacing_mm": [0.5, 0.5, 0.5], "orientation": "LPS",
                        "channels": [{"clip_hu": [-50, 150], "scale_to": [0, 1]}]},
                 patch={"input": [128] * 3, "output": [128] * 3, "step": 0, "padding": "zero", "overlap": 0,
                        "blending": "nnunet gaussian"},
                 procedure={"merge": "logits", "test_time": [{"flip": flip} for flip in flips]})


large = Case("segment/large-study", "memory: 512 x 512 x 320 voxels, 7 classes, 8 mirrors, patches of 128 x 128 x 128, "
             "a stand-in for the network", write_large, lambda outputs: {})


def with_large(method):
    def open_contender(folder, threads):
        import ichdet
        from ichdet import nn

        hu = np.load(folder / "hu.npy")
        volume = ichdet.Volume(hu, ichdet.Geometry(list(LARGE[::-1]), np.diag([0.5, 0.5, 0.5, 1.0])))
        made = nn.Segmenter([folder / "bundle"], threads=threads, precision="float32", engine="torch")
        return lambda: getattr(made, method)(volume).inference.patches

    return open_contender


large.contender("ichdet")(with_large("label"))
large.contender("ichdet, a map of all classes")(with_large("__call__"))

CASES = [
    sliding_window([("iph", 70)], "segment/dynunet",
                   f"DynUNet (VIOLA-AI's nnU-Net), phantom of 230 x 230 x {SLICES}, 70 mL of blood, overlap 0.5"),
    sliding_window([], "segment/dynunet-no-blood", "the same without blood"),
    mirrors, nnunet, blast, blast_real, *map(members, (1, 3, 12)), large,
]
