"""Makes the demo's company, a hospital of 200 people: python3 tests/demo/company.py > tests/demo/company.ndjson

The same file comes out every time, on every Python: nothing is random, people are dealt out by counting.
"""

import json
import sys
from itertools import count

# Given and family names as their owners write them, each with the Latin letters used for login names.
GIVEN = """
Zoë=zoe Siân=sian Jürgen=juergen Bríd=brid Ana=ana Łucja=lucja Søren=soeren Renée=renee Íñigo=inigo Šárka=sarka
Ελένη=eleni Γιώργος=giorgos Ольга=olga Дмитрий=dmitrij Наталія=natalija Ђорђе=djordje 伟=wei 秀英=xiuying 美咲=misaki
محمد=muhammad فاطمة=fatima ليلى=layla Thị=thi Đức=duc Nguyệt=nguyet अनन्या=ananya רחל=rachel Aoife=aoife Māra=mara
Gülşen=guelsen Oluwaṣeun=oluwaseun Nino=nino 지우=jiwoo Elif=elif Björk=bjoerk João=joao Chloé=chloe D'Angelo=dangelo
""".split()
FAMILY = """
O'Neill=oneill D’Souza=dsouza Müller=mueller Ó_Súilleabháin=osuilleabhain García_Márquez=garciamarquez Wałęsa=walesa
Ångström=aangstroem Lefèvre=lefevre Etxeberría=etxeberria Dvořáková=dvorakova Παπαδοπούλου=papadopoulou
Νικολάου=nikolaou Иванова=ivanova Щербаков=scherbakov Шевченко=shevchenko Ђоковић=djokovic 王=wang 欧阳=ouyang 佐藤=sato
العربي=alarabi الخطيب=alkhatib Nguyễn=nguyen Đặng=dang Trần=tran शर्मा=sharma כהן=cohen
Mac_Giolla_Bhríde=macgiollabhride Bērziņš=berzins Yılmaz=yilmaz Adébáyò=adebayo ბერიძე=beridze 김=kim
Smith-Jones=smithjones Þórsdóttir=thorsdottir Gonçalves=goncalves van_'t_Hoff=vanthoff N'Diaye=ndiaye
Saint-Exupéry=saintexupery Weiß=weiss Çelik=celik
""".split()

WARDS = ["Cardiology", "Surgery", "Paediatrics", "Oncology", "Emergency", "Maternity", "Intensive Care", "Geriatrics"]
OFFICES = ["Finance", "Human Resources", "Admissions", "IT", "Facilities"]
OFFICE_TITLES = ["Clerk", "Case Worker", "Controller", "System Administrator", "Planner"]
LANGUAGES = ["en", "de", "fr", None, "el", "uk", "ar", "vi", "zh", None]
CONTRACTOR_TITLES = ["Locum Physician", "Network Engineer", "Interpreter", "Auditor", "Medical Physicist"]

NURSES, DOCTORS, CONTRACTORS, ADMINISTRATION = 90, 45, 25, 40
FIRST_CHARGE_NURSE, FIRST_CHIEF, IT_LEAD, DIRECTOR = 1, NURSES + 1, 164, 161
WITHOUT_EMAIL = 187
CONTRACT_ENDS_EARLY = 141


def person_id(number):
    """The user id of the n-th person."""
    return f"p{number:03}"


def people():
    """Every person's record, in the order of their ids."""
    taken = set()
    for number in range(1, NURSES + DOCTORS + CONTRACTORS + ADMINISTRATION + 1):
        record = _identity(number, taken) | _position(number)
        if number % 6 != 0:
            record["phone"] = f"+41 44 555 {number // 100:02} {number % 100:02}"
        language = LANGUAGES[number % len(LANGUAGES)]
        if language is not None:
            record["language"] = language
        if number == WITHOUT_EMAIL:
            del record["email"]
        yield record


def _identity(number, taken):
    given, given_latin = GIVEN[number * 7 % len(GIVEN)].split("=")
    family, family_latin = FAMILY[number * 11 % len(FAMILY)].split("=")
    wanted = f"{given_latin}.{family_latin}"
    username = next(name for n in count(1) if (name := wanted if n == 1 else f"{wanted}{n}") not in taken)
    taken.add(username)
    return {
        "id": person_id(number),
        "username": username,
        "firstName": given,
        "lastName": family.replace("_", " "),
        "email": f"{username}@hospital.example",
        "costCenter": f"CC-{100 + number * 13 % 40}",
    }


def _position(number):
    ward = WARDS[(number - 1) % len(WARDS)]
    if number <= NURSES:
        charge = number < FIRST_CHARGE_NURSE + len(WARDS)
        return {
            "profile": "Nurses",
            "title": "Charge Nurse" if charge else "Nurse",
            "department": ward,
            "permission_sets": ["Referral Desk"] if number % 15 == 0 else [],
            "permission_set_groups": ["Ward Coordination"] if charge else [],
            "manager": person_id(DIRECTOR if charge else FIRST_CHARGE_NURSE + (number - 1) % len(WARDS)),
        }
    if number <= NURSES + DOCTORS:
        chief = number < FIRST_CHIEF + len(WARDS)
        return {
            "profile": "Doctors",
            "title": "Chief Physician" if chief else "Physician",
            "department": ward,
            "permission_sets": ["Controlled Drugs"],
            "permission_set_groups": ["Ward Coordination"] if chief else [],
            "manager": person_id(DIRECTOR if chief else FIRST_CHIEF + (number - FIRST_CHIEF) % len(WARDS)),
        }
    if number <= NURSES + DOCTORS + CONTRACTORS:
        return {
            "profile": "Contractors",
            "title": CONTRACTOR_TITLES[number % len(CONTRACTOR_TITLES)],
            "department": ward,
            "permission_sets": ["Referral Desk"] if number % 3 == 0 else [],
            "permission_set_groups": [],
            "manager": person_id(IT_LEAD),
            "valid_until": "2026-03-05T17:00:00Z" if number == CONTRACT_ENDS_EARLY else "2026-12-31T22:00:00Z",
        }
    record = {
        "profile": "Administration",
        "title": "Director" if number == DIRECTOR else OFFICE_TITLES[number % len(OFFICE_TITLES)],
        "department": OFFICES[number % len(OFFICES)],
        "permission_sets": [],
        "permission_set_groups": ["Research Unit"] if number % 10 == 5 else [],
    }
    if number != DIRECTOR:
        record["manager"] = person_id(DIRECTOR)
    return record


def main():
    for record in people():
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
