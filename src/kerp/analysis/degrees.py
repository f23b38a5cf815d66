"""Standard errors and degrees of freedom of linear contrasts after REML.

`satterthwaite`: Fai and Cornelius 1996, parameter covariance from the observed information.
`kr`: Kenward and Roger 1997 with second derivatives of the covariance in the parametrisation of `covariance`
(what R mmrm calls Kenward-Roger). `kr-linear`: the second-derivative term left out (mmrm's Kenward-Roger-Linear;
for an unstructured matrix the value SAS prints with ddfm=kr). For one contrast the Kenward-Roger degrees of freedom
equal Satterthwaite's, and the scale factor is 1 (Kenward and Roger 1997, section 3, with one degree of freedom).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy import stats

from kerp.analysis.reml import RemlFit

Array = Any


class Method(StrEnum):
    """Small-sample method for standard errors and degrees of freedom."""

    SATTERTHWAITE = "satterthwaite"
    KR = "kr"
    KR_LINEAR = "kr-linear"


TITLES = {
    Method.SATTERTHWAITE: "Satterthwaite, observed information",
    Method.KR: "Kenward-Roger, observed information, second derivatives in the log-SD/Cholesky parametrisation",
    Method.KR_LINEAR: "Kenward-Roger-Linear (second-derivative term left out), observed information",
}


LEAST_DF = 0.5  # below it a t quantile passes a thousand: the error itself is hardly estimated


@dataclass(frozen=True, slots=True)
class Estimate:
    """A contrast with its standard error, degrees of freedom, two-sided p and confidence interval.

    p and interval are NaN where the degrees of freedom are below `LEAST_DF`; `why_not` then says so.
    """

    estimate: float
    se: float
    df: float
    p: float
    ci_low: float
    ci_high: float

    @property
    def why_not(self) -> str:
        """Why a figure is missing; empty where none is."""
        if math.isfinite(self.p) and math.isfinite(self.ci_low):
            return ""
        if math.isfinite(self.df) and math.isfinite(self.se):
            return (
                f"{self.df:.2g} degrees of freedom are left for the standard error: too few participants for a "
                "p value or an interval"
            )
        return "the information about the covariance is singular here, so the standard error or df does not exist"


def t_estimate(estimate: float, se: float, df: float, level: float = 0.95) -> Estimate:
    """Interval and two-sided p from the t distribution; none where hardly a degree of freedom is left."""
    if df < LEAST_DF:
        return Estimate(estimate, se, df, math.nan, math.nan, math.nan)
    half = float(stats.t.ppf(0.5 + level / 2.0, df)) * se
    p = float(2.0 * stats.t.sf(abs(estimate / se), df))
    return Estimate(estimate, se, df, p, estimate - half, estimate + half)


def covariance_of_coefficients(fit: RemlFit, method: Method) -> Array:
    """Model-based covariance of the coefficients (q, q), enlarged as Kenward and Roger ask."""
    phi = fit.pieces.phi
    if method is Method.SATTERTHWAITE:
        return phi
    p, w = fit.pieces.p, fit.theta_covariance
    inner = fit.pieces.q - np.einsum("kij,jm,lmn->klin", p, phi, p)
    if method is Method.KR:
        inner = inner - fit.pieces.r / 4.0
    total = np.einsum("kl,klij->ij", w, inner)
    adjusted = phi + 2.0 * phi @ total @ phi
    return (adjusted + adjusted.T) / 2.0


def contrast(fit: RemlFit, weights: Array, method: Method, level: float = 0.95) -> Estimate:
    """Estimate `weights` (q,) times the coefficients. SE or df is NaN where the information is singular."""
    phi = fit.pieces.phi
    v = phi @ weights
    gradient = -np.einsum("i,kij,j->k", v, fit.pieces.p, v)
    spread = float(gradient @ fit.theta_covariance @ gradient)
    df = 2.0 * float(weights @ v) ** 2 / spread if spread > 0 else float("nan")
    adjusted = float(weights @ covariance_of_coefficients(fit, method) @ weights)
    se = float(np.sqrt(adjusted)) if adjusted > 0 else float("nan")
    return t_estimate(float(weights @ fit.pieces.beta), se, df, level)
