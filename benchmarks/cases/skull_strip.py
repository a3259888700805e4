"""Brain masks of a head at 1 mm: thresholds and morphology, the small U-Net, MindGrab."""

import numpy as np

from suite.arrays import unlike
from suite.case import Case
from suite.inputs import ROOT, cli, real_data


def write_head(folder):
    import ichdet

    stack = ichdet.phantom(seed=11, hemorrhages=[ichdet.Hemorrhage("iph", 12)]).stack
    grid = ichdet.segmentation_grid(stack.geometry, [1, 1, 1])
    np.save(folder / "hu.npy", ichdet.resample_to(stack, grid).hu)


def head(folder):
    import ichdet

    hu = np.load(folder / "hu.npy")
    return ichdet.Volume(hu, ichdet.Geometry.aligned(hu.shape[::-1], [1, 1, 1]))


def with_ichdet(engine, bundle=None):
    def open_contender(folder, threads):
        from ichdet import nn

        strip = nn.SkullStripper(engine, bundle and folder / bundle, threads=threads)
        volume = head(folder)
        return lambda: strip(volume).mask

    return open_contender


classical = Case("skull-strip/classical", "thresholds and morphology, a phantom at 1 mm", write_head,
                 lambda masks: unlike(masks, "ichdet", 1e-3), threads=(1, 0))
classical.contender("ichdet")(with_ichdet("classical"))


@classical.contender("SciPy")
def classical_scipy(folder, threads):
    """The same steps, for HU of full range; balls by distance transforms, faster than large footprints."""
    from scipy import ndimage

    hu = np.load(folder / "hu.npy")

    def dilate(mask, mm):
        return ndimage.distance_transform_edt(~mask) <= mm

    def erode(mask, mm):
        return ndimage.distance_transform_edt(mask) > mm

    def fill_in_slices(mask):
        return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])

    def largest(mask):
        labels, _ = ndimage.label(mask)
        return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])

    def run():
        bone = hu > 200
        within = erode(fill_in_slices(dilate(bone, 8)), 8) | bone
        within &= (hu > -100) & (hu <= 200)
        share = ndimage.gaussian_filter(((hu >= 0) & (hu <= 100)).astype(np.float32), 1, mode="nearest")
        brain = fill_in_slices((share >= 0.5) & within)
        brain = dilate(largest(erode(brain, 5)), 5) & within
        return fill_in_slices(ndimage.binary_fill_holes(largest(brain)))

    return run


def largest_over_corners(mask):
    import SimpleITK as sitk

    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True)
    return sitk.GetArrayFromImage(sitk.RelabelComponent(pieces)) == 1


unet = Case("skull-strip/unet3d", "the 3D U-Net that came with ichdet, on 2 mm voxels; a phantom at 1 mm", write_head,
            lambda masks: unlike(masks, "ichdet", 5e-3), threads=(1, 0))
unet.contender("ichdet")(with_ichdet("unet3d"))


@unet.contender("SimpleITK and MONAI")
def unet_monai(folder, threads):
    import SimpleITK as sitk
    import torch
    from mindgrab_oracle import image
    from monai.inferers import sliding_window_inference
    from monai.networks.nets import UNet
    from safetensors.torch import load_file

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    network = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=(8, 16, 32, 64), strides=(2, 2, 2)).eval()
    network.load_state_dict(load_file(ROOT / "bundles" / "brain" / "weights.safetensors"))
    volume = head(folder)
    grid = volume.geometry.with_spacing([2, 2, 2])

    def resample(values, source, target):
        reference = image(np.empty(target.size[::-1], np.float32), target)
        moved = sitk.Resample(image(values, source), reference, sitk.Transform(), sitk.sitkLinear)
        return sitk.GetArrayFromImage(moved)

    def run():
        x = torch.from_numpy(resample(volume.hu, volume.geometry, grid)).clamp(0, 80)[None, None] / 80
        with torch.inference_mode():
            logits = sliding_window_inference(x, (80, 112, 96), 1, network, overlap=0.5, mode="gaussian")
            brain = torch.softmax(logits[0], 0)[1].numpy()
        return largest_over_corners(resample(brain, grid, volume.geometry) >= 0.5)

    return run


def write_mindgrab(folder):
    write_head(folder)
    cli("import", "mindgrab", real_data("mindgrab"), "-o", folder / "mindgrab", "-q")


mindgrab = Case("skull-strip/mindgrab", "MindGrab, published weights, 256 x 256 x 256 voxels; a phantom at 1 mm",
                write_mindgrab, lambda masks: unlike(masks, "ichdet", 1e-3))
mindgrab.contender("ichdet")(with_ichdet("mindgrab", "mindgrab"))


@mindgrab.contender("SimpleITK and PyTorch")
def mindgrab_pytorch(folder, threads):
    import torch
    from mindgrab_oracle import MeshNet, extract

    network = MeshNet().eval()
    network.load_state_dict(torch.load(real_data("mindgrab") / "model.pth", weights_only=True, map_location="cpu"))
    volume = head(folder)
    return lambda: extract(volume, network)


CASES = [classical, unet, mindgrab]
