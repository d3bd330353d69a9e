"""What is a person's number, contact or key, and what only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.checks.disclosure.identifiers import holds_credential, holds_one

FOUND = [
    "15.11.07-033.01 is wrong but 85.07.30-033.28 is Belgian",
    "13097248022",  # Norway
    "44051401359",  # Poland
    "86095742719",  # Germany, tax
    "131052-308T",  # Finland
    "211062-5629",  # Denmark
    "2 55 08 14 168 025 38",  # France
    "12345678Z",  # Spain
    "X1234567L",
    "RSSMRA85T10A562S",  # Italy
    "756.9217.0769.85",  # Switzerland
    "219-09-9999",  # United States
    "529.982.247-25",  # Brazil
    "BSN: 111222333",
    "GB82 WEST 1234 5698 7654 32",
    "DE89370400440532013000",
    "NO93 8601 1117 947",
    "MRN: 00482913",
    "patient id=AB-204817",
    "DOB 12/03/1954",
    "born 3 March 1954",
    "Mrs. Halloran was seen",
    "call 020 7946 0958 today",
    "(030) 1234567",
    "(555) 123-4567",
    "14 Station Road",
    "Lindenstraße 12",
    "10115 Berlin, 12.3.1954",
    "from 192.168.14.7 at noon",
    "00:1B:44:11:3A:B7",
    "GTEX-1117F",
    "TCGA-02-0001-01B",
]

NOT_FOUND = [
    "ENSG00000139618.17",
    "ENST00000380152",
    "GSE123456",
    "SRR1234567",
    "SAMN12345678",
    "rs1234567890",
    "chr17:43044295-43125483",
    "NM_007294.4:c.5266dup",
    "NP_009225.1",
    "GO:0006915",
    "HP:0001250",
    "GRCh38.p14",
    "bcftools version 1.17.30.2",
    "2025-01-01T10:00:00Z",
    "10.1038/s41586-020-2649-2",
    "0.0034",
    "6.235e-01",
    "[18-39)",
    "1000000-2000000",
    "12,340,566",
    "patients 4210",
    "hospital admissions 48211",
    "n = 4210, dof = 4203",
    "p < 0.001",
    "127.0.0.1",
    "Chromosome 17 Close Up",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "HLA-DRB1*15:01:01:01",
    "chr1 55039974 PCSK9",
    "MT-ND1",
    "HGNC:1100",
]


@pytest.mark.parametrize("text", FOUND)
def test_a_personal_identifier_is_found(text: str) -> None:
    assert holds_one(text)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_genomics_writes_is_no_identifier(text: str) -> None:
    assert not holds_one(text)
    assert not holds_credential(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----", True),
        ("-----BEGIN PUBLIC KEY-----", False),
        ("AKIAIOSFODNN7EXAMPLE", True),
        ("token ghp_" + "a1B2" * 9, True),
        ("password = hunter2hunter2", True),
        ("password=None", False),
        ("db: postgresql://lab:s3cretpw@db.example.org/x", True),
        ("see https://example.org/a:b@c", False),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", True),
        ("the password must be long", False),
    ],
)
def test_a_credential_is_found(text: str, found: bool) -> None:
    assert holds_credential(text) is found


@given(gene=st.integers(1, 10**11 - 1), position=st.integers(1, 249_000_000), width=st.integers(1, 10**6))
def test_coordinates_and_accessions_are_never_identifiers(gene: int, position: int, width: int) -> None:
    for text in (f"ENSG{gene:011d}", f"rs{position}", f"chr7:{position}-{position + width}", f"SRR{position}"):
        assert not holds_one(text)
