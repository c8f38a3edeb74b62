"""Headless Chromium without a network, for tests and for looking at pages."""

import shutil
from contextlib import contextmanager

#: WebGL in software, so that views in space draw on machines without a screen.
OPTIONS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-dev-shm-usage',
    '--use-gl=angle',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    '--window-size=1500,1300',
    '--host-resolver-rules=MAP * ~NOTFOUND',
)


def missing() -> str | None:
    """Why there is no browser here, if so."""
    for program in ('chromium', 'chromedriver'):
        if shutil.which(program) is None:
            return f'no {program} on the PATH (Debian: chromium and chromium-driver)'
    return None


@contextmanager
def chromium():
    """A selenium driver."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which('chromedriver')))
    driver.set_page_load_timeout(120)
    driver.set_script_timeout(120)
    try:
        yield driver
    finally:
        driver.quit()


def open_page(driver, path, anchor: str = '') -> None:
    """Load a report and wait until it is drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get('about:blank')
    driver.get(path.resolve().as_uri() + anchor)
    WebDriverWait(driver, 120).until(
        lambda driver: driver.execute_script('return document.documentElement.dataset.ready') == 'true'
    )
