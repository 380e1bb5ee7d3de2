@echo off
rem The WinTrades launcher for Windows: makes sure of Node 24 and of the dependencies, then hands over to the command line.
rem The same promises as the file `wintrades`, which other systems use. Needs node and npm, any version from 20.
setlocal EnableExtensions
set "NODE_VERSION=24.21.0"
set "ROOT=%~dp0"
set "RUNTIME=%ROOT%.runtime"
set "STAMP=%RUNTIME%\installed"
set "CPU=x64"
if /i "%PROCESSOR_ARCHITECTURE%"=="ARM64" set "CPU=arm64"
set "NODE=%RUNTIME%\node_modules\node-win-%CPU%\bin\node.exe"

if not exist "%NODE%" goto install
if not exist "%ROOT%node_modules" goto install
fc /b "%ROOT%package-lock.json" "%STAMP%" >nul 2>&1
if errorlevel 1 goto install
goto run

:install
where npm >nul 2>&1
if errorlevel 1 (
  echo wintrades: npm is missing; install Node.js ^(20 or newer^) with npm, then start again 1>&2
  exit /b 1
)
if not exist "%RUNTIME%" mkdir "%RUNTIME%"
mkdir "%RUNTIME%\install.lock" 2>nul
if errorlevel 1 (
  echo wintrades: another launcher is installing; if none is, remove .runtime\install.lock 1>&2
  exit /b 1
)
if not exist "%NODE%" (
  echo wintrades: fetching Node %NODE_VERSION% ^(once^) 1>&2
  call npm install --prefix "%RUNTIME%" --no-save --ignore-scripts --no-audit --no-fund node-win-%CPU%@%NODE_VERSION% >"%RUNTIME%\install.log" 2>&1
  if errorlevel 1 goto failed
)
echo wintrades: installing dependencies ^(once^) 1>&2
pushd "%ROOT%"
call npm ci --ignore-scripts --no-audit --no-fund >"%RUNTIME%\install.log" 2>&1
if errorlevel 1 (
  popd
  goto failed
)
popd
copy /y "%ROOT%package-lock.json" "%STAMP%" >nul
rmdir /s /q "%RUNTIME%\install.lock"

:run
if not defined NODE_COMPILE_CACHE set "NODE_COMPILE_CACHE=%RUNTIME%\compile-cache"
"%NODE%" --disable-warning=ExperimentalWarning --max-inlined-bytecode-size=1000 --max-inlined-bytecode-size-cumulative=3000 "%ROOT%packages\operations\src\cli.ts" %*
exit /b %ERRORLEVEL%

:failed
rmdir /s /q "%RUNTIME%\install.lock"
type "%RUNTIME%\install.log" 1>&2
echo wintrades: npm could not install. Is the package registry reachable? 1>&2
exit /b 1
