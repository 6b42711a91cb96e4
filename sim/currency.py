"""Codes of currencies: prices of one log must all be in one, and in one that exists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from copybandit.sim.tables import refuse, text_column

CURRENCIES = frozenset(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
    "USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG".split()
)
"""ISO 4217, money only."""


def check_currency(frame: pd.DataFrame, path: Path | str) -> None:
    """Refuse a table whose column `currency`, where it has one, holds an unknown code or more than one.

    Raises:
        DataError: naming file, row and column.
    """
    if "currency" not in frame:
        return
    code = text_column(frame, "currency").str.upper()
    refuse(path, ~code.isin(CURRENCIES).to_numpy(np.bool_), "currency", frame["currency"], "an ISO 4217 code")
    first = str(code.iloc[0])
    refuse(
        path,
        (code != first).to_numpy(np.bool_),
        "currency",
        frame["currency"],
        f"{first} as in row 1; convert first",
    )
