"""How Sphinx builds this documentation: `make docs`. Nothing is fetched from the network."""

import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

# Before TensorFlow is imported by an example: its native log would end up in the pages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The examples take what is on this machine, and download nothing.
os.environ.setdefault("SKCIFAR_OFFLINE", "1")

import matplotlib  # noqa: E402

matplotlib.use("Agg")

import skcifar  # noqa: E402

project = "skcifar"
author = "the skcifar developers"
copyright = author
version = release = skcifar.__version__

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxext.opengraph",
    "myst_parser",
    "other_projects",
    "gallery_looks",
    "hero",
    "run_code",
]
exclude_patterns = ["_build", "_output", "_templates"]
# It means the whole path: a checkout in a folder with a space in its name is none the worse.
suppress_warnings = ["sphinx_gallery.space_in_filename"]
templates_path = ["_templates"]
default_role = "py:obj"
highlight_language = "python"
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = f"skcifar {version}"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_css_files = ["skcifar.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "logo": {
        "text": "skcifar",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
    },
    "show_prev_next": True,
    "navbar_align": "left",
    "navbar_end": ["version", "theme-switcher", "navbar-icon-links"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version", "theme-version"],
    "secondary_sidebar_items": ["page-toc"],
}
# Where CI builds the site, it knows the address of the repository and of the site.
_REPOSITORY = os.environ.get("GITHUB_REPOSITORY")
if _REPOSITORY:
    html_theme_options["icon_links"] = [
        {
            "name": "Source code",
            "url": f"{os.environ['GITHUB_SERVER_URL']}/{_REPOSITORY}",
            "icon": "fa-brands fa-github",
        }
    ]
# For search engines and for the previews of links.
ogp_site_url = html_baseurl = os.environ.get("SITE_URL", "")
ogp_site_name = "skcifar"
ogp_image = "_images/hero.png"
ogp_image_alt = "Photographs with the classes that skcifar predicts"
ogp_social_cards = {"enable": False}
ogp_enable_meta_description = True
# The prompt and the output of a session are not copied.
copybutton_selector = "div:not(.output, .exact-message) > div.highlight pre"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Pages without pages below them need no empty column at the left.
_SINGLE_PAGES = (
    "index",
    "getting_started",
    "faq",
    "works_with",
    "troubleshooting",
    "changelog",
    "auto_examples/*",
)
html_sidebars = {page: [] for page in _SINGLE_PAGES}

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# What the examples with other libraries need: without it, the site goes without that page.
_NEEDED = {
    "mislabelled": "cleanlab",
    "prediction_sets": "mapie",
    "optuna": "optuna",
    "skore": "skore",
    "shap": "shap",
}
_LEFT_OUT = [name for name, needed in _NEEDED.items() if not importlib.util.find_spec(needed)]
if _LEFT_OUT:
    suppress_warnings.append("ref.ref")  # of the page that lists them

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": "|".join([r"demo\.py", *(rf"plot_{name}\.py" for name in _LEFT_OUT)]),
    "subsection_order": "gallery_order.section",
    "within_subsection_order": "gallery_order.position",
    "minigallery_sort_order": "gallery_order.position",
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": ("skcifar",),
    "reference_url": {"skcifar": None},
    "download_all_examples": True,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    # Its page of times fetches scripts from the network.
    "write_computation_times": False,
    "plot_gallery": True,
    "abort_on_example_error": False,
    # What a figure or a Display says about itself is its address in memory.
    "ignore_repr_types": r"matplotlib|Display|tuple|NoneType",
    "matplotlib_animations": False,
    "image_scrapers": ("matplotlib",),
    "thumbnail_size": (400, 300),
}
