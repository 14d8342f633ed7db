"""The base set of categories. A project adds its own in the admin."""

from typing import Any

from django.db import migrations

# slug and name of each, with those below it
TREE: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("home_services", "Home services"): (
        ("cleaning", "Cleaning"),
        ("plumbing", "Plumbing"),
        ("electrical", "Electrical work"),
        ("gardening", "Gardening"),
        ("moving", "Moving and transport"),
        ("repairs", "Repairs and assembly"),
    ),
    ("health", "Health"): (
        ("physiotherapy", "Physiotherapy"),
        ("massage", "Massage"),
        ("nutrition", "Nutrition"),
        ("psychology", "Psychology and coaching"),
    ),
    ("beauty", "Beauty"): (
        ("hair", "Hair"),
        ("nails", "Nails"),
        ("make_up", "Make-up"),
        ("skin_care", "Skin care"),
    ),
    ("fitness", "Fitness and sport"): (
        ("personal_training", "Personal training"),
        ("yoga", "Yoga and pilates"),
        ("sport_lessons", "Sport lessons"),
    ),
    ("lessons", "Lessons"): (
        ("languages", "Languages"),
        ("music", "Music"),
        ("tutoring", "Tutoring"),
        ("driving", "Driving"),
    ),
    ("events", "Events"): (
        ("photography", "Photography and film"),
        ("catering", "Catering"),
        ("musicians", "Musicians and DJs"),
    ),
    ("business", "Business"): (
        ("accounting", "Accounting and tax"),
        ("legal", "Legal advice"),
        ("design", "Design"),
        ("it_support", "IT support"),
    ),
    ("pets", "Pets"): (
        ("dog_walking", "Dog walking"),
        ("grooming", "Grooming"),
        ("pet_training", "Training"),
    ),
}


def plant(apps: Any, schema_editor: Any) -> None:
    category = apps.get_model("marketplace_catalog", "Category").objects
    for place, ((slug, name), below) in enumerate(TREE.items()):
        parent, _ = category.get_or_create(slug=slug, defaults={"name": name, "position": place})
        for position, (child, child_name) in enumerate(below):
            category.get_or_create(slug=child, defaults={"name": child_name, "parent": parent, "position": position})


class Migration(migrations.Migration):
    dependencies = [("marketplace_catalog", "0001_initial")]
    operations = [migrations.RunPython(plant, migrations.RunPython.noop)]
