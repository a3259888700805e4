"""Explanations of a slice classifier, against the packages grad-cam and saliency: same weights, same maps."""

import numpy as np

from suite.arrays import differences
from suite.case import Case, Contender
from suite.networks import images, prepared, with_weights, work, write_weights

TARGET = 1
OWN = "ichdet, PyTorch's network"  # what explains is ichdet's, what is explained is the reference
OURS = {"ichdet": ("auto", "float32"), "ichdet native": ("native", "float32"), "ichdet torch": ("torch", "float32"),
        "ichdet openvino": ("openvino", "float32"), "ichdet bfloat16": ("auto", "bfloat16")}


def write(name):
    def write_files(folder):
        write_weights(name, folder)
        np.save(folder / "x.npy", images(name, 1))

    return write_files


def image(folder):
    import torch

    return torch.from_numpy(np.load(folder / "x.npy"))


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


# Grad-CAM

TARGET_LAYERS = {"resnet18": lambda model: model.layer4[-1],
                 "efficient_classification": lambda model: model.resnet.layer4[-1]}


def maps_agree(outputs):
    """The native engine, auto's choice where there is AMX, splits values into two bfloat16 numbers; of bfloat16 itself
    the difference is only told."""
    assert outputs["grad-cam"].std() > 0.05, "the reference's map is empty"
    allowed = {"ichdet": 2e-3, "ichdet native": 2e-3, "ichdet bfloat16": np.inf}
    return differences(outputs, "grad-cam", {who: allowed.get(who, 1e-4) for who in outputs})


def cam_of_ichdet(name, smooth, engine, precision):
    def make(folder, threads):
        from ichdet import attribution

        network, note = prepared(name, folder, threads, 1, engine, precision)
        x = image(folder)
        return Contender(lambda: attribution.grad_cam(network, x, TARGET, aug_smooth=smooth,
                                                      eigen_smooth=smooth).numpy(), note)

    return make


def cam_of_own_network(name, smooth):
    def make(folder, threads):
        from ichdet import attribution

        model, x = with_weights(name, folder), image(folder)
        return lambda: attribution.grad_cam(model.forward_features, model.forward_head, x, TARGET, aug_smooth=smooth,
                                            eigen_smooth=smooth).numpy()

    return make


def cam_of_package(name, smooth, cut_short=False):
    """`cut_short`: no gradients before the target layer, which the package's users rarely ask for."""

    def make(folder, threads):
        import oracles  # noqa: F401  before grad-cam
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
        from test_attribution import fixed_sign

        model, x = with_weights(name, folder), image(folder)
        layer = TARGET_LAYERS[name](model)
        model.requires_grad_(not cut_short)
        layer.requires_grad_()
        package = GradCAM(model=model, target_layers=[layer])

        def run():
            with fixed_sign():  # of the first component, which the package leaves to chance
                return package(x, [ClassifierOutputTarget(TARGET)], aug_smooth=smooth, eigen_smooth=smooth)

        return run

    return make


def cam_case(name, smooth):
    made = Case(f"explain/grad-cam-{name}" + ("-smooth" if smooth else ""),
                "Grad-CAM of a slice" + (", aug_smooth and eigen_smooth" if smooth else ""), write(name), maps_agree,
                lambda folder: work(name, 6 if smooth else 1), quick=name == "resnet18")
    for who, (engine, precision) in OURS.items():
        made.contender(who)(cam_of_ichdet(name, smooth, engine, precision))
    made.contender(OWN)(cam_of_own_network(name, smooth))
    made.contender("grad-cam")(cam_of_package(name, smooth))
    made.contender("grad-cam, cut short")(cam_of_package(name, smooth, cut_short=True))
    return made


# Gradients, paths, occlusion, RISE: their times go with the number of steps, so that few tell as much

STEPS, BATCH, SIZE = 8, 8, 224
METHODS = {  # what is done, and the forwards of the network that takes; a gradient is as much work as a forward more
    "gradients": ("gradients", 2),
    "smooth-gradients": (f"SmoothGrad, {STEPS} samples", 2 * STEPS),
    "integrated-gradients": (f"integrated gradients, {STEPS} steps", 2 * STEPS),
    "guided-ig": (f"guided integrated gradients, {STEPS} steps", 2 * STEPS),
    "blur-ig": (f"blur integrated gradients, {STEPS} steps", 2 * STEPS),
    "occlusion": ("occlusion, 64 windows", 65),
    "rise": (f"RISE, {8 * STEPS} masks", 8 * STEPS),
}


def noise():
    import torch

    return torch.randn(STEPS, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def ours(explained, x):
    """method: a function to the attributions (channel, y, x) or (y, x)."""
    from ichdet import attribution

    samples = noise()
    return {
        "gradients": lambda: attribution.gradients(explained, x)[0].numpy(),
        "smooth-gradients": lambda: attribution.smooth_gradients(explained, x, noise=samples)[0].numpy(),
        "integrated-gradients": lambda: attribution.integrated_gradients(
            explained, x, "zero", steps=STEPS).values[0].numpy(),
        "guided-ig": lambda: attribution.guided_ig(explained, x, "zero", steps=STEPS).values[0].numpy(),
        "blur-ig": lambda: attribution.blur_ig(explained, x, steps=STEPS).values[0].numpy(),
        "occlusion": lambda: attribution.occlusion(
            explained, x, "zero", size=SIZE - 7, stride=1, mean=False)[0].numpy(),
        "rise": lambda: attribution.rise(explained, x, "zero", masks=8 * STEPS)[0].numpy(),
    }


def peers(model, x):
    """The same of saliency; RISE, which it has not, is the paper's formula in PyTorch."""
    import saliency.core as saliency
    import torch
    from ichdet import attribution
    from test_path_methods import call_model, channels_last, saliency_smoothed, with_interpolation

    samples, masks = noise(), attribution.rise_masks((SIZE, SIZE), 0, 8 * STEPS)
    slice_, call = channels_last(x[0]), call_model(model, TARGET)

    def first(array):
        return np.moveaxis(array, -1, 0)

    def guided():
        with with_interpolation():
            return first(saliency.GuidedIG().GetMask(slice_, call, x_steps=STEPS))

    @torch.no_grad()
    def rise():
        total = torch.zeros(SIZE, SIZE)
        for some in masks.split(BATCH):
            total += torch.tensordot(model(x * some[:, None])[:, TARGET], some, 1)
        return (total / (0.5 * len(masks))).numpy()

    return {
        "gradients": lambda: first(saliency.GradientSaliency().GetMask(slice_, call)),
        "smooth-gradients": lambda: first(saliency_smoothed(saliency.GradientSaliency(), slice_, call, samples)),
        "integrated-gradients": lambda: first(saliency.IntegratedGradients().GetMask(
            slice_, call, x_steps=STEPS, batch_size=BATCH)),
        "guided-ig": guided,
        "blur-ig": lambda: first(saliency.BlurIG().GetMask(
            slice_.astype(np.float64), call, steps=STEPS, batch_size=BATCH)),
        "occlusion": lambda: saliency.Occlusion().GetMask(slice_, call, size=SIZE - 7)[..., 0],
        "rise": rise,
    }


def attributions_agree(method, peer):
    """By correlation: gradients of ReLU networks jump where rounding takes a value across 0. Guided IG chooses its path
    by which gradients are small, so that their rounding decides where it leads: its differences are only told."""

    def compare(outputs):
        expected = outputs[peer]
        largest = np.abs(expected).max()
        assert largest > 0, "the reference says nothing"
        for who, found in outputs.items():
            near = correlation(found, expected)
            assert near > 0.999 or who == "ichdet bfloat16" or method == "guided-ig", f"{who}: correlation {near:.5f}"
        return differences({who: found / largest for who, found in outputs.items()}, peer, np.inf)

    return compare


def explained(run, engine, precision):
    """Opens what `run` does with an Explained and a slice; `engine` "" is the reference itself."""

    def make(folder, threads):
        from ichdet import attribution

        network, note = (prepared("resnet18", folder, threads, BATCH, engine, precision) if engine
                         else (with_weights("resnet18", folder), ""))
        return Contender(run(attribution.Explained(network, TARGET, batch=BATCH), image(folder)), note)

    return make


def add_ours(case, run):
    for who, (engine, precision) in OURS.items():
        case.contender(who)(explained(run, engine, precision))
    case.contender(OWN)(explained(run, "", ""))


def method_case(method):
    title, forwards = METHODS[method]
    peer = "PyTorch" if method == "rise" else "saliency"
    made = Case(f"explain/{method}", f"{title}, of ResNet-18", write("resnet18"), attributions_agree(method, peer),
                lambda folder: work("resnet18", forwards))
    add_ours(made, lambda network, x: ours(network, x)[method])
    made.contender(peer)(lambda folder, threads: peers(with_weights("resnet18", folder), image(folder))[method])
    return made


# XRAI

XRAI_STEPS = 100


def write_smooth(folder):
    from test_xrai import smooth

    write_weights("resnet18", folder)
    np.save(folder / "x.npy", np.moveaxis(smooth(SIZE, SIZE, 3, sigma=4), -1, 0)[None])


def regions_agree(outputs):
    """Heat maps by correlation. Random weights make regions of nearly the same gain, whose order turns on rounding."""
    expected, ranks = outputs["saliency"]
    told = {}
    for who, (heat_map, order) in outputs.items():
        near = correlation(heat_map, expected)
        assert near > 0.999 or who == "ichdet bfloat16", f"{who}: correlation {near:.5f}"
        if who != "saliency":
            told[who] = float(np.abs(heat_map - expected).max() / np.abs(expected).max())
            told[f"{who}, pixels of another region"] = float((order != ranks).mean())
    return told


def xrai_of_ichdet(network, x):
    from ichdet import attribution

    def run():
        found = attribution.xrai(network, x, steps=XRAI_STEPS).regions[0]
        return np.stack([found.heat_map.numpy(), found.ranks.numpy()])

    return run


def xrai_of_saliency(batch):
    def make(folder, threads):
        import saliency.core as saliency
        from test_path_methods import call_model, channels_last

        slice_, call = channels_last(image(folder)[0]), call_model(with_weights("resnet18", folder), TARGET)
        parameters = saliency.XRAIParameters(steps=XRAI_STEPS, return_xrai_segments=True)

        def run():
            found = saliency.XRAI().GetMaskWithDetails(slice_, call, batch_size=batch, extra_parameters=parameters)
            return np.stack([found.attribution_mask, found.segments])

        return run

    return make


xrai = Case("explain/xrai", f"XRAI of ResNet-18, {XRAI_STEPS} steps from black and from white", write_smooth,
            regions_agree, lambda folder: work("resnet18", 2 * 2 * XRAI_STEPS))
add_ours(xrai, xrai_of_ichdet)
xrai.contender("saliency")(xrai_of_saliency(1))
xrai.contender(f"saliency, {BATCH} steps at once")(xrai_of_saliency(BATCH))


# XRAI's parts, of three windows of a phantom's slice and of smooth noise; an attribution of either sign

SCALES, SIGMA, LEAST = [50, 100, 150, 250, 500, 1200], 0.8, 150
BOTH = "of a phantom's slice and of noise, 224 x 224 x 3"


def write_slices(folder):
    import ichdet
    from scipy import ndimage
    from test_xrai import signed_attribution, smooth, windows

    hu = ichdet.phantom(seed=3, hemorrhages=[ichdet.Hemorrhage("iph", 12)]).stack.hu
    phantom = windows(ndimage.zoom(hu[len(hu) // 2], SIZE / hu.shape[-1], order=1))
    np.save(folder / "slices.npy", [phantom, smooth(SIZE, SIZE, 3)])
    np.save(folder / "attribution.npy", signed_attribution((SIZE, SIZE), np.float32))


def slices(folder):
    return np.load(folder / "slices.npy")


def tensors(folder):
    import torch

    return [torch.from_numpy(np.ascontiguousarray(np.moveaxis(slice_, -1, 0))) for slice_ in slices(folder)]


labels = Case("explain/felzenszwalb", f"Felzenszwalb's segmentation at six scales, {BOTH}", write_slices,
              lambda outputs: differences(outputs, "scikit-image", 0))


@labels.contender("ichdet")
def labels_ichdet(folder, threads):
    from ichdet import attribution

    given = tensors(folder)
    return lambda: np.stack([attribution.felzenszwalb(x, SCALES, SIGMA, LEAST).numpy() for x in given])


@labels.contender("scikit-image")
def labels_skimage(folder, threads):
    from skimage import segmentation

    given = slices(folder)
    return lambda: np.stack([[segmentation.felzenszwalb(x, scale, SIGMA, LEAST) for scale in SCALES] for x in given])


segments = Case("explain/xrai-segments", f"XRAI's masks, {BOTH}", write_slices,
                lambda outputs: differences(outputs, "saliency", 0))


@segments.contender("ichdet")
def segments_ichdet(folder, threads):
    from ichdet import attribution

    given = tensors(folder)
    return lambda: np.concatenate([attribution.xrai_segments(x).tensor().numpy() for x in given])


@segments.contender("saliency")
def segments_saliency(folder, threads):
    from saliency.core import xrai

    given = slices(folder)
    return lambda: np.concatenate([xrai._get_segments_felzenszwalb(x) for x in given])


def regions_case(algorithm):
    made = Case("explain/xrai-regions" + ("-fast" if algorithm == "fast" else ""),
                f"XRAI's regions of an attribution and masks, {algorithm}, {BOTH}", write_slices,
                lambda outputs: differences(outputs, "saliency", 0))

    @made.contender("ichdet")
    def with_ichdet(folder, threads):
        import torch
        from ichdet import attribution

        given = torch.from_numpy(np.load(folder / "attribution.npy"))
        masks = [attribution.xrai_segments(x) for x in tensors(folder)]

        def run():
            found = [attribution.xrai_regions(given, m, algorithm=algorithm) for m in masks]
            return np.stack([[f.heat_map.numpy(), f.ranks.numpy()] for f in found])

        return run

    @made.contender("saliency")
    def with_saliency(folder, threads):
        from saliency.core import xrai

        given = np.load(folder / "attribution.npy")
        masks = [xrai._get_segments_felzenszwalb(x) for x in slices(folder)]
        call = {"full": xrai.XRAI._xrai, "fast": xrai.XRAI._xrai_fast}[algorithm]
        return lambda: np.stack([call(given, m) for m in masks])

    return made


CASES = [*(cam_case(name, smooth) for name in TARGET_LAYERS for smooth in (False, True)),
         *map(method_case, METHODS), xrai, labels, segments, regions_case("full"), regions_case("fast")]
