"""Currencies: the ISO 4217 codes that orders may be in, each with its number of decimal places.

Source: ISO 4217 list one as of 2026-01-01 (package `iso4217` 1.16.20260101), without codes that have no minor unit
(metals, testing, no currency); and the withdrawals of list three since 2011, for histories may reach back so far.
"""

from __future__ import annotations

_BY_PLACES: dict[int, str] = {
    0: """
    BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
    """,
    2: """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
    COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
    MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
    STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: """
    BHD IQD JOD KWD LYD OMR TND
    """,
    4: """
    CLF UYW
    """,
}

_WITHDRAWN: dict[int, str] = {
    0: "BYR",
    2: "ANG BGN CUC EEK HRK LTL LVL MRO SLL STD VEF ZMK ZWL",
}

PLACES: dict[str, int] = {
    code: places for table in (_BY_PLACES, _WITHDRAWN) for places, codes in table.items() for code in codes.split()
}
"""Code → decimal places of its minor unit: EUR 2, JPY 0, KWD 3."""
