"""Backscatter of bare soil in VV: integral equation model with calibrated correlation lengths (IEM_B).

The model (Fung, Li and Chen 1992, doi:10.1109/36.134086; Fung 1994, chapter 5), single scattering in backscatter, with
the wave number k, kx = k sin theta, kz = k cos theta, the rms height s and the roughness spectra W of the powers of
a Gaussian correlation of length L::

    sigma0 = k^2 / 2 exp(-2 kz^2 s^2) sum_n s^2n |I_n|^2 W_n / n!
    I_n    = (2 kz)^n f exp(-s^2 kz^2) + kz^n F / 2
    W_n    = L^2 / (2 n) exp(-(kx L)^2 / n)
    f      = 2 R / cos theta
    F      = 2 sin^2 theta (1 + R)^2 / cos theta
             [(1 - 1/eps) + (eps - sin^2 theta - eps cos^2 theta) / (eps cos theta)^2]

with the Fresnel reflection R of vertical polarisation.  Measured correlation lengths fail in it, so they are replaced
by a calibrated one (Baghdadi et al. 2006 and later; ldas_sekf.md 7.2, item 2), cm, theta in radians::

    L = 1.281 + 0.134 sin(0.19 theta)^-1.59 s

Valid for theta of 20 to 45 degrees; the sum is taken until its terms are below single precision.
"""

import math

import torch
from torch import Tensor

from dalearn.operators.bare_soil import LIGHT_SPEED
from dalearn.retrieval.dielectric import soil_dielectric


def calibrated_length(incidence_angle: Tensor, rms_height: Tensor) -> Tensor:
    """Correlation length in cm of ``incidence_angle`` in degrees and ``rms_height`` in cm, for VV."""
    return 1.281 + 0.134 * torch.sin(0.19 * torch.deg2rad(incidence_angle)).pow(-1.59) * rms_height


def integral_equation_backscatter(
    moisture: Tensor,
    incidence_angle: Tensor,
    rms_height: Tensor,
    sand: float | Tensor = 40.0,
    clay: float | Tensor = 20.0,
    frequency: float = 5.405,
) -> Tensor:
    """sigma0 of VV in dB, of ``moisture`` (m3 m-3), ``incidence_angle`` (degrees), ``rms_height`` (cm) and texture (%).

    All broadcast; differentiable.  ``frequency`` in GHz.
    """
    moisture, incidence_angle, rms_height = torch.broadcast_tensors(moisture, incidence_angle, rms_height)
    angle = torch.deg2rad(incidence_angle)
    sine, cosine = torch.sin(angle), torch.cos(angle)
    wave_number = 2.0 * math.pi * frequency / LIGHT_SPEED
    length = calibrated_length(incidence_angle, rms_height)
    eps = soil_dielectric(moisture, sand, clay, frequency)
    root = torch.sqrt(eps - sine.square())
    reflection = (eps * cosine - root) / (eps * cosine + root)
    kirchhoff = 2.0 * reflection / cosine
    bracket = (1.0 - 1.0 / eps) + (eps - sine.square() - eps * cosine.square()) / (eps * cosine).square()
    complementary = 2.0 * sine.square() * (1.0 + reflection).square() / cosine * bracket

    height = (wave_number * cosine * rms_height).square()  # (kz s)^2
    total = torch.zeros_like(height)
    # with q = (kz s)^2 the terms are |2^n f exp(-q) + F / 2|^2 q^n exp(-2 q) / n!, a Poisson-like bump near n = 4 q
    bump = 4.0 * float(height.detach().max())
    last = math.ceil(bump + 8.0 * math.sqrt(bump) + 20.0)
    for n in range(1, last + 1):
        # halved exponents go with the amplitude, so that 2^n neither overflows nor meets a vanished exp(-2 q)
        weight = torch.exp(0.5 * (n * torch.log(height) - math.lgamma(n + 1.0)) - height)
        strength = torch.exp(n * math.log(2.0) - height + 0.5 * (n * torch.log(height) - math.lgamma(n + 1.0)) - height)
        amplitude = strength * kirchhoff + 0.5 * weight * complementary
        spectrum = length.square() / (2.0 * n) * torch.exp(-(wave_number * sine * length).square() / n)
        total = total + (amplitude.real.square() + amplitude.imag.square()) * spectrum
    return 10.0 * torch.log10(0.5 * wave_number**2 * total)
