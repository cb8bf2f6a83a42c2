from typing import Any

from django.db import migrations, models

# What a receipt said before in one column, in the words of the record.
WORDS = (
    (True, "verified", "the effect was seen"),
    (False, "not verified", "the effect was not seen"),
    (None, "unknown", "the effect could not be seen from there"),
)


def keep(apps: Any, schema_editor: Any) -> None:
    """Carry over what earlier receipts say."""
    rows = apps.get_model("receipts", "Receipt").objects.using(schema_editor.connection.alias)
    for verified, verdict, observed in WORDS:
        found = rows.filter(verified=verified) if verified is not None else rows.filter(verified__isnull=True)
        found.exclude(state="started").update(
            verdict=verdict, observed=observed, observed_at=models.F("finished_at")
        )


class Migration(migrations.Migration):

    dependencies = [
        ('receipts', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='receipt',
            name='lasting',
            field=models.TextField(blank=True, help_text='How long that can be relied on.'),
        ),
        migrations.AddField(
            model_name='receipt',
            name='no_way_back',
            field=models.TextField(blank=True, help_text='Why there is none.'),
        ),
        migrations.AddField(
            model_name='receipt',
            name='observed',
            field=models.TextField(blank=True, help_text='What was seen afterwards.'),
        ),
        migrations.AddField(
            model_name='receipt',
            name='observed_at',
            field=models.DateTimeField(blank=True, help_text='UTC.', null=True),
        ),
        migrations.AddField(
            model_name='receipt',
            name='verdict',
            field=models.CharField(blank=True, choices=[('verified', 'verified'), ('not verified', 'not verified'), ('unknown', 'unknown')], help_text='Empty: nobody looked.', max_length=12),
        ),
        migrations.RunPython(keep, migrations.RunPython.noop),
        migrations.RemoveField(
            model_name='receipt',
            name='verified',
        ),
    ]
