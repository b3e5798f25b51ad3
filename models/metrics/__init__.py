"""Ranks among candidates, and the figures made of them: hit rates, NDCG, calibration.

In: scores of cases; out: numbers for each case and their means. Numpy alone; imports protocols and
data. A metric of ranks is a gain in ``ranking_metrics.case_metrics``.
"""
